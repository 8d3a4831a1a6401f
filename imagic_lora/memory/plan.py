"""The memory plan: which levers are pulled, found from a budget before anything is loaded.

What always holds: the text encoders and the autoencoder are on the device only while they work;
frozen weights are half precision on a GPU; what is trained is float32 everywhere.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any, Protocol

import torch

from imagic_lora.errors import DeviceError, SettingsError
from imagic_lora.memory.device import give_back
from imagic_lora.memory.footprint import Footprint
from imagic_lora.memory.ladder import LADDER, PHASES, Lever, Phase
from imagic_lora.memory.levers.attention import attending
from imagic_lora.memory.levers.frozen import Stream, freeze, release
from imagic_lora.memory.levers.gating import gating
from imagic_lora.memory.levers.host import activations_on_host
from imagic_lora.memory.levers.tables import keep_tables
from imagic_lora.settings import ATTENTION, Attention
from imagic_lora.units import gigabytes


class Stored(Protocol):
    """What has weights in a model: see `models.base.Networks`."""

    @property
    def denoiser(self) -> torch.nn.Module:
        """What predicts."""

    @property
    def autoencoder(self) -> torch.nn.Module:
        """What leads from pixels to latents and back."""

    @property
    def encoders(self) -> tuple[torch.nn.Module, ...]:
        """What reads prompts."""


@dataclass(frozen=True)
class MemoryPlan:
    """Device, precision and levers of one editor.

    Attributes:
        device: Where the work is done.
        dtype: Precision of the frozen weights, and of what is computed with them.
        micro_batch: Most samples of one optimiser step that are worked on at a time; the step's
            gradient is the same.
        offload_denoiser: Take the denoiser off the device while it is not working.
        stream_text: Hold the text encoders' weights in host memory and fetch each when it is needed,
            of the words' tables the rows of a prompt.
        checkpointing: Recompute the denoiser's activations in a fit instead of keeping them.
        vae_tiling: Encode and decode in tiles.
        eight_bit: Hold the denoiser's weights as int8 codes, rounded once, when the model is
            loaded: the rounded weights are then the base model, and are never changed.
        streaming: The same for the denoiser's frozen weights and the autoencoder's.
        attention: Kernel of the denoiser's attention: "auto" leaves the choice to PyTorch, "sdpa"
            allows its fused kernels only, "xformers" uses that package.
    """

    device: torch.device
    dtype: torch.dtype
    micro_batch: int = 2
    offload_denoiser: bool = False
    stream_text: bool = False
    checkpointing: bool = False
    vae_tiling: bool = False
    eight_bit: bool = False
    streaming: bool = False
    attention: Attention = "auto"

    def __post_init__(self) -> None:
        ATTENTION.check("attention", self.attention)
        if self.micro_batch < 1:
            raise SettingsError(f"micro_batch was {self.micro_batch}, allowed is 1 or more.")

    @classmethod
    def automatic(cls, device: str | None = None, attention: Attention = "auto") -> "MemoryPlan":
        """Return the plan for a device, no lever pulled: half precision on a GPU, float32 on a CPU.

        Args:
            device: A torch device, e.g. "cuda" or "cpu"; default: a GPU where there is one.
            attention: Kernel of the denoiser's attention.

        Raises:
            DeviceError: When the device is not there.
        """
        name = device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            found = torch.device(name)
        except RuntimeError as error:
            raise DeviceError(f"There is no kind of device called {name!r}.") from error
        if found.type == "cpu":
            return cls(found, torch.float32, attention=attention)
        if found.type != "cuda" or (found.index or 0) >= torch.cuda.device_count():
            raise DeviceError(
                f"The device {name!r} was asked for and is not there; this machine has "
                f"{torch.cuda.device_count()} CUDA devices, and 'cpu'."
            )
        bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
        dtype = torch.bfloat16 if bfloat16 else torch.float16
        return cls(found, dtype, attention=attention)

    @classmethod
    def for_budget(
        cls, budget_bytes: int, footprint: Footprint, base: "MemoryPlan | None" = None
    ) -> "MemoryPlan":
        """Return the plan with the fewest levers whose every phase fits in a budget.

        Nothing is loaded or tried: equal arguments give equal plans, and a larger budget never
        pulls a lever that a smaller one leaves alone. Levers that move things to the host's memory
        are left out on a CPU.

        Args:
            budget_bytes: Bytes that the whole job may take on the device.
            footprint: What the model needs.
            base: Device and precision; default: a CUDA device and bfloat16.

        Raises:
            DeviceError: When no plan fits; the smallest budget that would do is named.
        """
        base = base or cls(torch.device("cuda"), torch.bfloat16)
        ladder = base._ladder()
        rungs = [0, *(LADDER.index(lever) + 1 for lever in ladder)]
        peaks = [footprint.peak(rung, base.dtype.itemsize) for rung in rungs]
        for height, peak in enumerate(peaks):
            if peak <= budget_bytes:
                return base.climb(ladder[:height])
        raise DeviceError(
            f"{footprint.model} was asked to work in {gigabytes(budget_bytes)}; with every lever "
            f"pulled it needs {gigabytes(min(peaks))}: allow that much, or use a smaller model."
        )

    @property
    def levers(self) -> tuple[Lever, ...]:
        """The levers that are pulled, lowest first."""
        return tuple(lever for lever in LADDER if self._pulled(lever))

    def _ladder(self) -> tuple[Lever, ...]:
        """Return the levers that can save anything on the device, lowest first."""
        return tuple(lever for lever in LADDER if not (lever.moves and self.device.type == "cpu"))

    def _pulled(self, lever: Lever) -> bool:
        return all(getattr(self, name) == value for name, value in lever.changes.items())

    def climb(self, levers: tuple[Lever, ...]) -> "MemoryPlan":
        """Return the plan with more levers pulled."""
        changes: dict[str, Any] = {}
        for lever in levers:
            changes |= lever.changes
        return replace(self, **changes)

    def next_lever(self, phase: Phase) -> Lever | None:
        """Return the lowest lever that would make a phase smaller, rounds nothing and is not pulled."""
        helping = (lever for lever in LADDER if phase in lever.slower and not lever.rounds)
        return next((lever for lever in helping if not self._pulled(lever)), None)

    def prepare(self, networks: Stored, *, exact: tuple[str, ...] = ()) -> None:
        """Store the frozen weights of a model as the plan says.

        Args:
            networks: Its networks, on the CPU or on the device; the denoiser alone is ever rounded.
            exact: Paths of the denoiser's layers that are left as they are.
        """
        if self.eight_bit or self.streaming:
            stream = Stream(self.device) if self.streaming else None
            freeze(networks.denoiser, eight_bit=self.eight_bit, stream=stream, exact=exact)
        texts = networks.encoders if self.stream_text else ()
        for module in (*texts, *((networks.autoencoder,) if self.streaming else ())):
            freeze(module, eight_bit=False, stream=Stream(self.device))
        for module in texts:
            keep_tables(module)
        if self.offload_denoiser and self.device.type != "cpu":
            networks.denoiser.to("cpu")

    @contextmanager
    def resident(self, *modules: torch.nn.Module) -> Iterator[None]:
        """Hold modules on the device for the length of a block, then send them back to the CPU."""
        for module in modules:
            module.to(self.device)
        try:
            yield
        finally:
            for module in modules:
                release(module)
            if self.device.type != "cpu":
                for module in modules:
                    module.to("cpu")
                give_back()

    @contextmanager
    def tiled(self, autoencoder: Any) -> Iterator[None]:
        """Hold an autoencoder on the device for the length of a block, working in tiles if asked.

        A tile is half as wide as the canvas that the model was made for: the autoencoder's own
        choice is all of that canvas, which would save nothing. Where weights are streamed it is a
        quarter, but at least 256 pixels, below which seams show.
        """
        with self.resident(autoencoder):
            if self.vae_tiling:
                native = autoencoder.config.sample_size
                side = max(native // 4, min(256, native // 2)) if self.streaming else native // 2
                factor = 2 ** (len(autoencoder.config.block_out_channels) - 1)
                autoencoder.enable_tiling()
                autoencoder.tile_sample_min_size = side
                autoencoder.tile_latent_min_size = side // factor
            try:
                yield
            finally:
                autoencoder.disable_tiling()

    @contextmanager
    def denoising(self, denoiser: Any, *, training: bool = False) -> Iterator[None]:
        """Hold the denoiser on the device while it works, checkpointed if it is to be trained."""
        checkpointed = training and self.checkpointing
        denoiser.to(self.device)
        with ExitStack() as stack:
            stack.enter_context(attending(denoiser, self.attention, self.device))
            stack.enter_context(gating(denoiser))
            if checkpointed:
                stack.enter_context(activations_on_host())
                denoiser.enable_gradient_checkpointing()
                stack.callback(denoiser.disable_gradient_checkpointing)
            try:
                yield
            finally:
                release(denoiser)
                if self.offload_denoiser:
                    denoiser.to("cpu")

    def explain(self, footprint: Footprint) -> list[Mapping[str, Any]]:
        """Return one row for each phase: its levers, its bytes, and how much slower it gets.

        The bytes are those with every lever up to the first that is not pulled; a lever further up
        may save more.

        Args:
            footprint: What the model needs.
        """
        pulled = list(takewhile(self._pulled, self._ladder()))
        rung = LADDER.index(pulled[-1]) + 1 if pulled else 0
        size = self.dtype.itemsize
        return [
            {
                "name": phase,
                "levers": [lever.name for lever in self.levers if phase in lever.slower],
                "counted_bytes": footprint.counted_bytes(phase, rung, size),
                "predicted_bytes": footprint.predicted_bytes(phase, rung, size),
                "slower": self._slower(phase),
            }
            for phase in PHASES
        ]

    def _slower(self, phase: Phase) -> float:
        """Return how many times longer a phase is expected to take for its levers."""
        product = 1.0
        for lever in self.levers:
            product *= lever.slower.get(phase, 1.0)
        return round(product, 2)
