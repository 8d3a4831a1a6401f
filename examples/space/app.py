"""The web page of imagic_lora as a Hugging Face Space: open to all, in the frame of the Hub."""

import os
import socket
from pathlib import Path

from imagic_lora import ImagicEditor, demo
from imagic_lora.ui.models import Loaded, Welcome
from imagic_lora.ui.serving.server import Address, open_workspace, serve

MODEL = os.environ.get("IMAGIC_LORA_MODEL", demo.MODEL)
PORT = int(os.environ.get("GRADIO_SERVER_PORT", "7860"))
STORAGE = Path("/data") if os.access("/data", os.W_OK) else Path.cwd()

WELCOME = Welcome(
    examples=demo.EXAMPLES,
    alphas=demo.ALPHAS,
    limits="This small model knows drawn portraits like these; photos need a larger one.",
)


def main() -> None:
    """Load the model, and serve the page to everybody until it is stopped."""
    editor = ImagicEditor.from_pretrained(MODEL)
    loaded = Loaded(name=MODEL, editor=editor, welcome=WELCOME if MODEL == demo.MODEL else None)
    listener = socket.create_server(("0.0.0.0", PORT), backlog=128)
    place = Address(listener=listener, hosts=None, login=None, framed_by="https://huggingface.co")
    with open_workspace(loaded, STORAGE / "adapters") as workspace:
        print(f"The page is at http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        serve(workspace, place)


if __name__ == "__main__":
    main()
