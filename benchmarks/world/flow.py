"""The drawn portraits' model that follows a flow: FLUX.2 klein in every respect but size.

Its autoencoder is the demo model's, in the layout of klein's. Text encoder and transformer are
trained together, as the demo's are.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLFlux2,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
)
from torch import Tensor, nn
from transformers import Qwen2Tokenizer, Qwen3Config, Qwen3ForCausalLM

from benchmarks.world.architecture import TEXT_LENGTH, TEXT_WIDTH
from benchmarks.world.denoiser import READER_WEIGHT, Batches, Focus, make_reader, misread
from benchmarks.world.loop import Trainer, in_half, noise_like
from benchmarks.world.pipeline import write_pipeline
from imagic_lora.models.parts.autoencoder import patched

STATES = (1, 2, 3)
"""Hidden states of the text encoder that the transformer reads."""

SHIFT = 3.0
"""How far the times of sampling are shifted towards noise."""

CHANNELS = 16
"""Of latents whose 2 x 2 neighbours lie side by side."""

LEVELS = ((0.4, 0.8, 0.3), (0.9, 1.0, 0.2))
"""Noise levels that are drawn more often, each with its share: where mouths and eyes are decided,
and the beginning of sampling. The rest is uniform, shifted as sampling is."""

DETAIL = Focus((), mentions=(0.3, 0.9, 0.9))


def make_text_encoder(vocabulary: int) -> Qwen3ForCausalLM:
    """Token ids (batch, 48) to hidden states (batch, 48, 128), of which three count."""
    return Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=vocabulary,
            hidden_size=TEXT_WIDTH,
            intermediate_size=3 * TEXT_WIDTH // 2,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=4,
            head_dim=32,
            tie_word_embeddings=True,
        )
    )


def make_transformer() -> Flux2Transformer2DModel:
    """Velocities of patches (batch, 64, 16), read with the text in one sequence.

    What opens a block and what ends the last are zero, so that in the beginning every block leaves
    what it is given. Source: Peebles and Xie 2022, arXiv 2212.09748, figure 5.
    """
    transformer: Any = Flux2Transformer2DModel(
        patch_size=1,
        in_channels=CHANNELS,
        num_layers=2,
        num_single_layers=6,
        attention_head_dim=32,
        num_attention_heads=6,
        joint_attention_dim=len(STATES) * TEXT_WIDTH,
        axes_dims_rope=(8, 8, 8, 8),
        guidance_embeds=False,
    )
    for name, module in transformer.named_modules():
        if isinstance(module, nn.Linear):
            zero = "modulation" in name or name in ("proj_out", "norm_out.linear")
            (nn.init.zeros_ if zero else nn.init.xavier_uniform_)(module.weight)
    made: Flux2Transformer2DModel = transformer
    return made


@torch.no_grad()
def make_vae(vae: AutoencoderKL, means: Tensor) -> AutoencoderKLFlux2:
    """The autoencoder of klein's kind with the weights of another.

    Args:
        vae: The other.
        means: Unscaled latents of many pictures, shape (count, 4, 16, 16).
    """
    known = AutoencoderKLFlux2.__init__.__annotations__
    config = {name: value for name, value in vae.config.items() if name in known}
    made: AutoencoderKLFlux2 = AutoencoderKLFlux2(**config)
    made.load_state_dict(vae.state_dict(), strict=False)
    patches = patched(means.float())
    made.bn.running_mean.copy_(patches.mean(dim=(0, 2, 3)))
    made.bn.running_var.copy_(patches.var(dim=(0, 2, 3)))
    return made.eval().requires_grad_(False)


def read_chats(tokenizer: Qwen2Tokenizer) -> Callable[[list[str]], Tensor]:
    """What turns captions into token ids (count, 48), each as the message of a chat."""

    def read(captions: list[str]) -> Tensor:
        chats = [
            tokenizer.apply_chat_template(
                [{"role": "user", "content": caption}], tokenize=False, add_generation_prompt=True
            )
            for caption in captions
        ]
        ids: Tensor = tokenizer(
            chats, padding="max_length", truncation=True, return_tensors="pt"
        ).input_ids
        return ids

    return read


def normalised(vae: AutoencoderKLFlux2, latents: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Means and deviations of latents as the transformer knows them, each (count, 16, 8, 8)."""
    mean, deviation = vae.bn.running_mean, (vae.bn.running_var + vae.config.batch_norm_eps).sqrt()
    mean, deviation = (part.cpu().view(-1, 1, 1) for part in (mean, deviation))
    means, deviations = map(patched, latents)
    return (means - mean) / deviation, deviations / deviation


class FlowDenoiser(nn.Module):
    """The trained modules as one, with the reader that only training needs."""

    def __init__(
        self,
        transformer: Flux2Transformer2DModel,
        text_encoder: Qwen3ForCausalLM,
        padding: int,
    ) -> None:
        super().__init__()
        self.transformer, self.text_encoder, self._padding = transformer, text_encoder, padding
        # What comes after the states that are read is there for the sake of the layout.
        text_encoder.model.layers[STATES[-1] :].requires_grad_(requires_grad=False)
        text_encoder.model.norm.requires_grad_(requires_grad=False)
        self.reader = make_reader(len(STATES) * TEXT_WIDTH)

    def forward(self, noisy: Tensor, levels: Tensor, tokens: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Predicted velocity, of the shape of the noisy patches, and the reader's logits."""
        said = tokens != self._padding
        output = self.text_encoder.model(
            input_ids=tokens, attention_mask=said.long(), output_hidden_states=True, use_cache=False
        )
        states = torch.cat([output.hidden_states[state] for state in STATES], dim=-1)
        rows, columns = noisy.shape[-2:]
        velocity: Tensor = self.transformer(
            hidden_states=noisy.flatten(2).mT,
            timestep=levels,
            encoder_hidden_states=states,
            img_ids=_places(noisy.device, 1, rows, columns, 1),
            txt_ids=_places(noisy.device, 1, 1, 1, states.shape[1]),
            guidance=None,
            return_dict=False,
        )[0]
        own = said.unsqueeze(-1)
        mean = (states * own).sum(dim=1) / own.sum(dim=1)
        return velocity.mT.reshape(noisy.shape), [read(mean) for read in self.reader.values()]


def _places(device: torch.device, *sizes: int) -> Tensor:
    """The place of every token: of a picture, row, column and word, shape (tokens, 4)."""
    return torch.cartesian_prod(*(torch.arange(size, device=device) for size in sizes))


def sample_levels(count: int, generator: torch.Generator) -> Tensor:
    """Noise levels from 0 to 1, one from each of `count` equal shares of how often each is drawn."""
    drawn = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    levels, begun = torch.empty(count), 0.0
    for low, high, share in LEVELS:
        inside = (drawn >= begun) & (drawn < begun + share)
        levels[inside] = low + (drawn[inside] - begun) / share * (high - low)
        begun += share
    rest = (drawn[drawn >= begun] - begun) / (1 - begun)
    levels[drawn >= begun] = SHIFT * rest / (1 + (SHIFT - 1) * rest)
    return levels


def train_flow(denoiser: FlowDenoiser, batches: Batches, trainer: Trainer) -> None:
    """Train in place; the denoiser is left with its averaged weights."""

    def step_loss(generator: torch.Generator, size: int) -> Tensor:
        clean, tokens, named = batches.draw(generator, size, DETAIL)
        levels = sample_levels(size, generator).to(clean.device)
        noise = noise_like(clean, generator)
        noisy = torch.lerp(clean, noise, levels.view(-1, 1, 1, 1))
        with in_half(clean.device):
            predicted, read = denoiser(noisy, levels, tokens)
        error = (predicted.float() - (noise - clean)).square().mean()
        loss: Tensor = error + READER_WEIGHT * misread(read, named)
        return loss

    trainer.run(step_loss)
    denoiser.eval()


def export_flow(
    vae: AutoencoderKLFlux2, denoiser: FlowDenoiser, tokenizer: Qwen2Tokenizer, folder: Path
) -> None:
    """Write a standard pipeline folder in half precision; the modules given are turned to it too."""
    denoiser.text_encoder.config.max_position_embeddings = TEXT_LENGTH
    pipeline = Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=SHIFT),
        vae=vae.half(),
        text_encoder=denoiser.text_encoder.half(),
        tokenizer=tokenizer,
        transformer=denoiser.transformer.half(),
    )
    write_pipeline(pipeline, folder)
