"""A search for a mask as a job: where a picture shows what words name."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from imagic_lora.adapters.adapter import Adapter
from imagic_lora.editor import ImagicEditor
from imagic_lora.images.canvas import Frame
from imagic_lora.images.png import save_png
from imagic_lora.ui.jobs.queue import Job


@dataclass(frozen=True)
class Framed:
    """A picture to look at.

    Attributes:
        image: The picture, or the adapter that holds it.
        frame: Which part of it, or None for all of it.
    """

    image: Image.Image | Adapter
    frame: Frame | None = None


def find_mask(editor: ImagicEditor, looked_at: Framed, words: str, path: Path, job: Job) -> None:
    """Look for what words name, and write the mask.

    Args:
        editor: What looks for it.
        looked_at: The picture.
        words: What to look for.
        path: Where the mask goes.
        job: Told the path once it is there.
    """
    image, frame = looked_at.image, looked_at.frame
    if isinstance(image, Adapter):
        image = editor.input_image(image)
        frame = Frame.of(image.size, image.size)
    mask = editor.find_mask(image, words, frame=frame)
    save_png(mask, path, {}, force=True)
    job.post(path)
