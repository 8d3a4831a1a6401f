"""Training of the autoencoder, and the latents it gives."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from benchmarks.world.data import Pixels
from benchmarks.world.loop import CPU_SHARDS, StepLoss, TrainerOf, in_half

KL_WEIGHT = 3e-5


def to_tensor(pictures: Pixels, device: torch.device | None = None) -> Tensor:
    """uint8 (batch, 64, 64, 3) to float (batch, 3, 64, 64) in [-1, 1]."""
    batch = torch.from_numpy(np.ascontiguousarray(pictures)).to(device)
    return batch.permute(0, 3, 1, 2).float() / 127.5 - 1


def train_vae(vae: AutoencoderKL, pictures: Pixels, trainer: TrainerOf) -> None:
    """Train in place, then centre the latents and give their channels one spread."""
    vae.to(memory_format=torch.channels_last)
    trainer(vae).run(_step_loss(vae, pictures))
    vae.eval()
    normalise_latents(vae, pictures[:2000])


def train_decoder(vae: AutoencoderKL, pictures: Pixels, trainer: TrainerOf) -> None:
    """Train the decoder alone, in place; the latents of pictures stay what they are.

    A denoiser that was trained on these latents goes on to work, as with Stable Diffusion's own
    later decoders.
    """
    vae.requires_grad_(requires_grad=False).to(memory_format=torch.channels_last)
    decoder = nn.ModuleList([vae.decoder, vae.post_quant_conv]).requires_grad_()
    trainer(decoder).run(_step_loss(vae, pictures))
    vae.eval()


def _step_loss(vae: AutoencoderKL, pictures: Pixels) -> StepLoss:
    """Return the loss of a part of a batch, drawn from some pictures."""

    def step_loss(generator: torch.Generator, size: int) -> Tensor:
        chosen = torch.randint(len(pictures), (size,), generator=generator)
        batch = to_tensor(pictures[chosen.numpy()], vae.device)
        return reconstruction_loss(vae, batch, generator)

    return step_loss


def reconstruction_loss(vae: AutoencoderKL, batch: Tensor, generator: torch.Generator) -> Tensor:
    """Absolute and squared error plus a little divergence from the standard normal.

    Squared error is what the signal-to-noise figure measures; the absolute one
    keeps flat areas clean and edges sharp.
    """
    batch = batch.contiguous(memory_format=torch.channels_last)
    with in_half(batch.device):
        posterior = vae.encode(batch).latent_dist
        mean, logvar = posterior.mean.float(), posterior.logvar.float()
        noise = torch.randn(mean.shape, generator=generator).to(mean)
        output = vae.decode(mean + noise * torch.exp(0.5 * logvar)).sample.float()
    error = output - batch
    divergence = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
    loss: Tensor = error.abs().mean() + 5 * error.square().mean() + KL_WEIGHT * divergence
    return loss


def encode_all(vae: AutoencoderKL, pictures: Pixels, batch: int = 64) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of every picture's latents, each (count, 4, 16, 16), unscaled."""

    @torch.no_grad()
    def encode(start: int) -> tuple[Tensor, Tensor]:
        chunk = to_tensor(pictures[start : start + batch], vae.device)
        # As in training: exact enough beside the deviation itself.
        with in_half(vae.device):
            posterior = vae.encode(chunk.contiguous(memory_format=torch.channels_last)).latent_dist
        return posterior.mean.float().cpu(), posterior.std.float().cpu()

    with ThreadPoolExecutor(CPU_SHARDS) as pool:
        means, deviations = zip(*pool.map(encode, range(0, len(pictures), batch)), strict=True)
    return torch.cat(means), torch.cat(deviations)


@torch.no_grad()
def reconstruct(vae: AutoencoderKL, pictures: Pixels, batch: int = 64) -> Tensor:
    """Pictures through the autoencoder and back, in [-1, 1]."""
    outputs = []
    for start in range(0, len(pictures), batch):
        latents = vae.encode(
            to_tensor(pictures[start : start + batch], vae.device)
        ).latent_dist.mean
        outputs.append(vae.decode(latents).sample.clamp(-1, 1).cpu())
    return torch.cat(outputs)


def signal_to_noise(pictures: Pixels, outputs: Tensor) -> float:
    """Mean over pictures of the peak signal-to-noise ratio, in decibels."""
    error = (to_tensor(pictures) - outputs).square().mean(dim=(1, 2, 3)) / 4
    return float((-10 * torch.log10(error)).mean())


@torch.no_grad()
def normalise_latents(vae: AutoencoderKL, pictures: Pixels) -> None:
    """Centre each latent channel and give all of them the same spread; set the scaling factor.

    The change is folded into the 1x1 convolutions on both sides of the latents,
    so pictures come out as before. Diffusion starts from centred noise, and a
    channel with its own mean or spread would be learned worse than the others.
    """
    means, _ = encode_all(vae, pictures)
    overall = means.std()
    offset, spread = means.mean(dim=(0, 2, 3)), means.std(dim=(0, 2, 3)) / overall
    offset, spread = offset.to(vae.device), spread.to(vae.device)
    weights, channels = vae.state_dict(), len(offset)
    into, out = "quant_conv", "post_quant_conv"
    weights[f"{out}.bias"] += weights[f"{out}.weight"][:, :, 0, 0] @ offset
    weights[f"{out}.weight"] *= spread[None, :, None, None]
    weights[f"{into}.bias"][:channels] = (weights[f"{into}.bias"][:channels] - offset) / spread
    weights[f"{into}.weight"][:channels] /= spread[:, None, None, None]
    weights[f"{into}.bias"][channels:] -= 2 * spread.log()
    set_scaling(vae, 1 / float(encode_all(vae, pictures)[0].std()))


def set_scaling(vae: AutoencoderKL, factor: float) -> None:
    """Set the factor that gives the latents a spread of one."""
    vae.register_to_config(scaling_factor=round(factor, 4))
