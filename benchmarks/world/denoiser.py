"""Training of the noise predictor together with its text encoder."""

import dataclasses
from collections.abc import Callable

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextModel, CLIPTokenizer

from benchmarks.world.captions import misremembered, random_caption
from benchmarks.world.loop import Trainer, in_half, noise_like
from benchmarks.world.portrait import ATTRIBUTES, Portrait

WEIGHT_CAP = 8.0

CAPTIONS = 8
"""How many captions every picture has."""

READER_WEIGHT = 0.1
"""Weight of the text encoder's own task beside the prediction of noise."""


@dataclasses.dataclass(frozen=True)
class Focus:
    """What a phase of training attends to.

    Attributes:
        ranges: Timesteps that are drawn more often: first, end, and share of all draws. What the
            shares leave is uniform.
        mentions: Shares of attributes that captions name, one chosen for each caption.
    """

    ranges: tuple[tuple[int, int, float], ...]
    mentions: tuple[float, ...]


LAYOUT = Focus(((650, 1000, 0.4),), mentions=(0.15, 0.6, 0.9))
"""Large areas: what the text says about them is decided at high noise, and hardly
learned with uniform timesteps."""

DETAIL = Focus(((250, 700, 0.35), (850, 1000, 0.45)), mentions=(0.3, 0.9, 0.9))
"""Mouths and eyes, which are decided at middling noise, and where the head is turned: that shows
through the noise nearly everywhere, so only the noisiest timesteps need the words for it."""


class Denoiser(nn.Module):
    """The trained modules as one, so that they share an optimiser and a checkpoint.

    The reader says what a caption names, from the text encoder's states; only training needs it.
    Without it "left" and "right" stay the same to the text encoder as long as the noise predictor
    does not tell them apart, and the other way round. Stable Diffusion's text encoder was trained
    beforehand, so it never had that trouble.
    """

    def __init__(self, unet: UNet2DConditionModel, text_encoder: CLIPTextModel) -> None:
        super().__init__()
        self.unet = unet
        self.text_encoder = text_encoder
        self.reader = make_reader(text_encoder.config.hidden_size)

    def forward(
        self, noisy: Tensor, timesteps: Tensor, tokens: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        """Predicted noise, of the shape of the noisy latents, and the reader's logits."""
        states = self.text_encoder(tokens).last_hidden_state
        prediction: Tensor = self.unet(noisy, timesteps, states).sample
        return prediction, [read(states.mean(dim=1)) for read in self.reader.values()]


def sample_timesteps(count: int, generator: torch.Generator, focus: Focus) -> Tensor:
    """Timesteps from 0 to 999, with a good share from the focus.

    The draws are stratified: one from each of `count` equal shares of the
    distribution, which makes the gradient less noisy.
    """
    levels = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    timesteps, begun = torch.empty(count), 0.0
    uniform = 1 - sum(share for _, _, share in focus.ranges)
    for low, high, share in (*focus.ranges, (0, 1000, uniform)):
        inside = levels >= begun
        timesteps[inside] = low + (levels[inside] - begun) / share * (high - low)
        begun += share
    return timesteps.long().clamp(0, 999)


def loss_weights(scheduler: DDIMScheduler, timesteps: Tensor) -> Tensor:
    """Weights that turn the error of the noise into that of the velocity, capped.

    Source: Salimans and Ho, arXiv 2202.00512, section 4: (1 + snr) / snr.
    """
    kept = scheduler.alphas_cumprod[timesteps]
    weights: Tensor = (1 / kept).clamp(max=WEIGHT_CAP)
    return weights


class Batches:
    """Latents with captions, drawn from cached latents.

    Every picture has a few captions, written and read into tokens once: written anew at every step,
    they would take longer than the step itself.

    Args:
        latents: Means and deviations of every picture's latents.
        portraits: What the pictures show.
        read: From captions to token ids (count, length).
        device: Where training is.
        wrong: Share of the attributes that captions may tell wrongly.
    """

    def __init__(
        self,
        latents: tuple[Tensor, Tensor],
        portraits: list[Portrait],
        read: Callable[[list[str]], Tensor],
        device: torch.device,
        wrong: float = 0.0,
    ) -> None:
        self._wrong = wrong
        self._means, self._deviations = (part.to(device) for part in latents)
        self._portraits, self._read = portraits, read
        self._device = device
        self._captions: dict[Focus, tuple[Tensor, Tensor]] = {}

    def draw(
        self, generator: torch.Generator, size: int, focus: Focus
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Draw pictures with their captions.

        Returns:
            Clean latents (size, 4, 16, 16), already scaled; token ids (size, length); and what the
            captions name (size, attributes): a value's index, or the number of values for none.
        """
        tokens, named = self._written(focus)
        chosen = torch.randint(len(self._portraits), (size,), generator=generator)
        written = torch.randint(CAPTIONS, (size,), generator=generator)
        means = self._means[chosen]
        clean = means + self._deviations[chosen] * noise_like(means, generator)
        return clean, tokens[written, chosen], named[written, chosen]

    def _written(self, focus: Focus) -> tuple[Tensor, Tensor]:
        """Token ids (captions, pictures, length), and what they name, by a focus."""
        if focus not in self._captions:
            pairs = [self._write(focus, number) for number in range(CAPTIONS)]
            tokens, named = (
                torch.stack(parts).to(self._device) for parts in zip(*pairs, strict=True)
            )
            self._captions[focus] = tokens, named
        return self._captions[focus]

    def _write(self, focus: Focus, number: int) -> tuple[Tensor, Tensor]:
        """One caption for every picture."""
        words = np.random.default_rng([number, *map(ord, repr(focus))])
        told = [misremembered(portrait, words, self._wrong) for portrait in self._portraits]
        captions = [random_caption(portrait, words, focus.mentions) for portrait in told]
        named = [_named_values(p, names) for p, (_, names) in zip(told, captions, strict=True)]
        return self._read([text for text, _ in captions]), torch.tensor(named)


def _named_values(portrait: Portrait, names: frozenset[str]) -> list[int]:
    """The index of each attribute's value, or the number of its values where it is not named."""
    return [
        label if name in names else len(ATTRIBUTES[name])
        for name, label in zip(ATTRIBUTES, portrait.labels(), strict=True)
    ]


def misread(read: list[Tensor], named: Tensor) -> Tensor:
    """Return how badly a reader says what captions name: its mean cross entropy."""
    losses = [
        functional.cross_entropy(logits.float(), named[:, column])
        for column, logits in enumerate(read)
    ]
    return torch.stack(losses).mean()


def make_reader(width: int) -> nn.ModuleDict:
    """Return what says of every attribute which value a caption names, from states of a width."""
    return nn.ModuleDict(
        {name: nn.Linear(width, len(values) + 1) for name, values in ATTRIBUTES.items()}
    )


def tokenize(tokenizer: CLIPTokenizer, captions: list[str]) -> Tensor:
    """Token ids of shape (count, length), padded and cut as the pipeline does."""
    ids: Tensor = tokenizer(
        captions, padding="max_length", truncation=True, return_tensors="pt"
    ).input_ids
    return ids


def capture(denoiser: Denoiser, batches: Batches, focus: Focus, size: int) -> None:
    """Let a GPU do the denoiser's work on a batch as one graph, forward and backward.

    Its kernels are small: launched one by one, the GPU waits for them most of the time.
    """
    clean, tokens, _ = batches.draw(torch.Generator(), size, focus)
    timesteps = torch.zeros(size, dtype=torch.long, device=clean.device)
    with torch.autocast(clean.device.type, torch.bfloat16, cache_enabled=False):
        torch.cuda.make_graphed_callables(denoiser, (clean, timesteps, tokens))


def train_denoiser(
    denoiser: Denoiser,
    batches: Batches,
    scheduler: DDIMScheduler,
    focus: Focus,
    trainer: Trainer,
) -> None:
    """Train in place, by a trainer of this module, which is left with its averaged weights."""
    if next(denoiser.parameters()).device.type == "cpu":
        # The fused attention's backward pass is several times slower on a CPU in bfloat16.
        torch.backends.cuda.enable_flash_sdp(False)
    else:
        capture(denoiser, batches, focus, trainer.part)

    def step_loss(generator: torch.Generator, size: int) -> Tensor:
        clean, tokens, named = batches.draw(generator, size, focus)
        timesteps = sample_timesteps(len(clean), generator, focus)
        noise = noise_like(clean, generator)
        noisy = scheduler.add_noise(clean, noise, timesteps.to(clean.device))
        if scheduler.config["prediction_type"] == "v_prediction":
            aim = scheduler.get_velocity(clean, noise, timesteps.to(clean.device))
            weights = torch.ones(len(clean))
        else:
            aim, weights = noise, loss_weights(scheduler, timesteps)
        with in_half(clean.device):
            predicted, read = denoiser(noisy, timesteps.to(clean.device), tokens)
        error = (predicted.float() - aim).square().mean(dim=(1, 2, 3))
        loss: Tensor = (weights.to(error) * error).mean()
        return loss + READER_WEIGHT * misread(read, named)

    trainer.run(step_loss)
    denoiser.eval()
