"""Makes the model that follows a flow: `python -m benchmarks.world.train_flow`.

It writes checkpoints, and is taken up where it stopped when the command is given again. The same
recipe runs on a GPU, with larger batches.
"""

import argparse
import math
from pathlib import Path

import torch
from diffusers import AutoencoderKLFlux2
from torch import Tensor
from transformers import Qwen2Tokenizer

from benchmarks.world import flow
from benchmarks.world.denoiser import Batches
from benchmarks.world.loop import Stage
from benchmarks.world.pipeline import MODEL, load_pipeline
from benchmarks.world.tokenizer import make_chat_tokenizer
from benchmarks.world.train import WORK, Recipe, Training
from benchmarks.world.worlds import FLOWING

FLOW = Stage("flow", steps=8000, batch=32, rate=1e-3, decay_from=0.3)
GPU_BATCH = 16
"""How many times larger batches are on a GPU."""


class FlowTraining(Training):
    """One run; the pictures are the demo model's, and so are their latents.

    Args:
        recipe: What to train; of its stages only `denoiser` counts.
        work: Folder for pictures and checkpoints; made if it is not there.
        device: Where to train.
    """

    def run(self) -> None:
        """Train from where the checkpoint stands, and write the pipeline."""
        vae, latents = self._coded()
        tokenizer = make_chat_tokenizer()
        denoiser = self._seeded(lambda: _untrained(tokenizer))
        read = flow.read_chats(tokenizer)
        batches = Batches(latents, self.portraits(), read, self.device)
        flow.train_flow(denoiser, batches, self._trainer(self.recipe.denoiser)(denoiser))
        flow.export_flow(vae, denoiser, make_chat_tokenizer(), self.recipe.world.model)

    def _coded(self) -> tuple[AutoencoderKLFlux2, tuple[Tensor, Tensor]]:
        """The autoencoder, and what it makes of every training picture."""
        plain = load_pipeline(MODEL).vae.to(self.device)
        factor = plain.config["scaling_factor"]
        means, deviations = (part / factor for part in self.latents(plain))
        vae = flow.make_vae(plain.cpu(), means)
        return vae, flow.normalised(vae, (means, deviations))


def _untrained(tokenizer: Qwen2Tokenizer) -> flow.FlowDenoiser:
    text_encoder = flow.make_text_encoder(len(tokenizer))
    return flow.FlowDenoiser(flow.make_transformer(), text_encoder, tokenizer.pad_token_id)


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=WORK / FLOWING.name, help="folder for state")
    parser.add_argument("--length", type=float, default=1.0, help="factor on the number of steps")
    parser.add_argument("--seconds", type=float, default=math.inf, help="most time of the training")
    options = parser.parse_args(arguments)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    recipe = Recipe(world=FLOWING, seed=options.seed, denoiser=FLOW).scaled(
        length=options.length,
        batch=GPU_BATCH if device.type == "cuda" else 1,
        seconds=options.seconds,
    )
    FlowTraining(recipe, options.work, device).run()


if __name__ == "__main__":
    main()
