"""Makes the model that follows a flow: `python -m benchmarks.world.train_flow`.

It writes checkpoints, and is taken up where it stopped when the command is given again. The same
recipe runs on a GPU, with larger batches.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from diffusers import AutoencoderKLFlux2
from torch import Tensor
from transformers import Qwen2Tokenizer

from benchmarks.world import flow
from benchmarks.world.denoiser import Batches
from benchmarks.world.pipeline import MODEL, load_pipeline
from benchmarks.world.recipes import FLOW
from benchmarks.world.tokenizer import make_chat_tokenizer
from benchmarks.world.train import Training, main
from benchmarks.world.worlds import FLOWING


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

    STAGES: ClassVar[Mapping[str, Callable[[Any], object]]] = {"denoiser": run}


def _untrained(tokenizer: Qwen2Tokenizer) -> flow.FlowDenoiser:
    text_encoder = flow.make_text_encoder(len(tokenizer))
    return flow.FlowDenoiser(flow.make_transformer(), text_encoder, tokenizer.pad_token_id)


if __name__ == "__main__":
    main(FlowTraining, {FLOWING.name: FLOW})
