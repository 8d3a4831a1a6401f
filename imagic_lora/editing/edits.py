"""Edits as a value: all that alpha does not change is found once, held here, and dies with it."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import torch
from PIL import Image

from imagic_lora.editing import focus, guidance, sampling, trajectory
from imagic_lora.editing.asked import Asked
from imagic_lora.editing.masks import Mask
from imagic_lora.editing.picture import Edit
from imagic_lora.editing.prompts import Prompts
from imagic_lora.editing.request import EditRequest
from imagic_lora.editing.residue import Residue
from imagic_lora.editing.slots import Slots
from imagic_lora.images.canvas import Frame
from imagic_lora.images.pixels import to_mask
from imagic_lora.memory import denoising
from imagic_lora.memory.relief import lever_names, relieved
from imagic_lora.models.base import LatentModel
from imagic_lora.models.turns import taking_turns
from imagic_lora.objective import Flow
from imagic_lora.progress import OnProgress
from imagic_lora.settings import ALPHA, EditSettings


@dataclass(frozen=True, eq=False)
class Edits:
    """Edits that are sampled together, at any strengths.

    Made by `ImagicEditor.edits`. What does not depend on the strength is found when it is first
    needed, and once, so that each further strength costs only its own denoising.

    Attributes:
        model: The base model.
        slots: Where the adapters are switched in.
        asked: The requests, and what their prompts ask for.
        seeds: Seed of each row.
        mask: Where the edits may change their inputs; None is everywhere.
        on_progress: Called after every step.
    """

    model: LatentModel
    slots: Slots
    asked: Asked
    seeds: tuple[int, ...]
    mask: Mask | None
    on_progress: OnProgress

    def __post_init__(self) -> None:
        _ = self._mask  # one that cannot be used is refused before any work begins

    @property
    def prompts(self) -> Prompts:
        """The requests with their conditionings."""
        return self.asked.prompts

    @property
    def requests(self) -> Sequence[EditRequest]:
        """What each row was asked to be."""
        return self.prompts.requests

    @property
    def settings(self) -> EditSettings:
        """How to denoise."""
        return self.prompts.settings

    def reseeded(self, seed: int) -> "Edits":
        """Return the same edits from another noise; what their prompts ask for is not found anew.

        Args:
            seed: Seed of every row.
        """
        return replace(self, seeds=(seed,) * len(self.seeds))

    def at(self, alphas: Sequence[float]) -> list[Edit]:
        """Return the edits at a strength for each row, sampled together.

        Args:
            alphas: Prompt strength of each row: 0 is the input, 1 the target.

        Raises:
            SettingsError: When a strength is not a finite number.
            SamplingError: When the latents become no numbers.
            DeviceError: When memory runs out whatever lever is pulled.
        """
        return self.with_latents(alphas)[0]

    @taking_turns
    def with_latents(self, alphas: Sequence[float]) -> tuple[list[Edit], torch.Tensor]:
        """Return what `at` returns, and the latents of the pictures, shape (B, C, h, w), float32.

        Args:
            alphas: Prompt strength of each row.
        """
        for alpha in alphas:
            ALPHA.check("alpha", alpha)
        before = self.model.plan
        predictor = self.predictor(alphas)
        with self._adapters_held():
            latents = sampling.sample(
                self.model, predictor, self.start, self.settings, self.on_progress
            )
        images = self._decoded(latents)
        return self._edits(images, alphas, lever_names(self.model.plan, before)), latents

    @cached_property
    @taking_turns
    def change(self) -> torch.Tensor:
        """How much the targets change at each place, shape (B, 1, h, w): see `Asked.change`."""
        self.prompts.encode()
        with self._adapters_held(), denoising(self.model, "sample") as work:
            return work(lambda: self.asked.change)

    def _decoded(self, latents: torch.Tensor) -> list[Image.Image]:
        """Return the pictures of latents, one row after another, which takes the least memory."""
        rows = zip(self._residues, torch.split(latents, 1), strict=True)
        return [residue.decoded(row) for residue, row in rows]

    @contextmanager
    def _adapters_held(self) -> Iterator[None]:
        """Switch the adapters in for the length of a block, with relief if they find no room."""
        weights = [request.adapter.lora for request in self.requests]
        holding = partial(self.slots.holding, weights, self.model.plan.device)
        with ExitStack() as held:
            relieved(self.model, "sample", lambda: held.enter_context(holding()))
            yield

    def _edits(
        self,
        images: Sequence[Image.Image],
        alphas: Sequence[float],
        levers: dict[str, tuple[str, ...]],
    ) -> list[Edit]:
        """Return the pictures with what made them."""
        held: dict[str, Any] = {} if self.mask is None else self.mask.record(self._frame)
        held |= levers
        return [
            Edit(
                image=image,
                target=request.target,
                settings=replace(self._found(row, alphas[row]), seed=seed),
                base_model=self.model.traits.name,
                alpha=alphas[row],
                adapter_sha256=request.adapter.sha256,
                fingerprint=self.model.traits.fingerprint,
                frame=request.adapter.record.frame,
                shared=self.prompts.shared[row] if alphas[row] else None,
                **held,
            )
            for row, (image, request, seed) in enumerate(
                zip(images, self.requests, self.seeds, strict=True)
            )
        ]

    def _found(self, row: int, alpha: float) -> EditSettings:
        """Return the settings of a row with what was found; at alpha 0 the prompts play no part."""
        guidance = self.asked.guidance[row] if alpha else self.settings.guidance
        return replace(self.settings, guidance=guidance)

    @property
    def latents(self) -> torch.Tensor:
        """Latents of the inputs, shape (B, C, h, w), float32."""
        return self.asked.latents

    @cached_property
    def start(self) -> sampling.Start:
        """Where denoising begins."""
        held = self.settings.fidelity or self.settings.focus or self.mask is not None
        run = _share_run(self.model, self.settings, self.latents)
        return sampling.Start(self.latents, run, self.seeds, pure=not held)

    def predictor(self, alphas: Sequence[float]) -> guidance.Predictor:
        """Return what is predicted at each step, with the adapters in the model.

        Args:
            alphas: Prompt strength of each row.
        """
        predictor = self._directed(alphas)
        if self.start.pure:
            return predictor
        if self.settings.fidelity:
            predictor = trajectory.faithful(predictor, self._missed, self.settings.fidelity)
        if self._afresh is not self._way:
            predictor = trajectory.renewed(predictor, self._way, self._afresh)
        if self.mask is not None or self.settings.focus:
            predictor = trajectory.masked(predictor, self._way, partial(self._free, alphas))
        return predictor

    def _directed(self, alphas: Sequence[float]) -> guidance.Predictor:
        """Return what is predicted where nothing holds the edits to their inputs."""
        settings, weight = self.settings, torch.tensor(alphas, dtype=torch.float64)
        own = self.prompts.own
        if not any(alphas) and settings.direction == "guided":
            # Without the prompts, since nothing but the inputs plays a part.
            return guidance.guided(self.model, own, own, own, 0)
        away, target = self.prompts.away, self.prompts.target
        if settings.direction == "interpolate":
            (fixed, *_) = self.asked.guidance  # the same for every row
            return guidance.interpolated(self.model, away, own, target, weight, fixed)
        if self.asked.seeks:
            _ = self.prompts.empty  # encoded while the denoiser is at rest
        pull, held = partial(self.asked.pull, weight), partial(self.asked.released, weight)
        release = held if self.asked.releases else None
        return guidance.guided(self.model, own, away, target, pull, release)

    @cached_property
    def _way(self) -> trajectory.Trajectory:
        """The inputs' way through the noise."""
        device = self.model.plan.device
        latents, noise = self.latents.to(device), self.start.noise().to(device)
        return trajectory.Trajectory(self.model.objective, latents, lambda _: noise)

    @cached_property
    def _afresh(self) -> trajectory.Trajectory:
        """The same in a noise of each time's own, the first as denoising begins."""
        if self.settings.scheduler == "model":
            return self._way  # the base model's own sampler may draw noise itself
        noises, device = self.start.noises(), self.model.plan.device
        drawn = trajectory.once(lambda _: next(noises))  # for good, whatever a device has room for
        return replace(self._way, noise=trajectory.once(lambda t: drawn(t).to(device)))

    @cached_property
    def _missed(self) -> trajectory.AtTime:
        """What the reconstructions miss of the inputs."""
        reconstruction = self._directed([0.0] * len(self.requests))
        times = sampling.times(self.model, self.settings, self.start)
        # Never more at once than a step of the edits makes, which a memory plan has counted.
        together = 2 if self.settings.direction == "guided" else 1
        return trajectory.missed(reconstruction, self._afresh, times, together)

    def _free(self, alphas: Sequence[float], edited: torch.Tensor) -> torch.Tensor:
        """Return where the edits may change the pictures: a share for each place of each row.

        Args:
            alphas: Prompt strength of each row.
            edited: Clean latents as the edits predict them, shape (B, C, h, w).
        """
        inputs, mask = self._way.latents, self._mask
        if not self.settings.focus:
            return mask
        # What the mask shuts is not what the rest is measured by.
        edited = torch.lerp(inputs, edited, mask)
        found = focus.focus_mask(inputs, edited, self.settings.focus)
        # At alpha 0 nothing is asked for, so where it would be asked for must not show.
        found[[alpha == 0 for alpha in alphas]] = 1
        return found * mask

    @cached_property
    def _residues(self) -> tuple[Residue, ...]:
        """What gives each input its own pixels back."""
        found = []
        for request, latents in zip(self.requests, torch.split(self.latents, 1), strict=True):
            adapter, resized = request.adapter, self.latents.shape[-2:]
            # At another size than the fit's, the pixels are no longer those that were encoded.
            picture = adapter.input if resized == adapter.latents.shape[-2:] else None
            mask = None
            if self.mask is not None and picture is not None:
                mask = to_mask(self.mask.image, self._frame, picture.size[::-1])
            found.append(Residue(self.model, picture, latents, mask))
        return tuple(found)

    @cached_property
    def _frame(self) -> Frame:
        """Which part of the mask lies on the canvas."""
        record = self.requests[0].adapter.record
        size = (record.width, record.height)
        # Adapters of earlier versions do not say which part of the picture they were fitted to.
        return record.frame or Frame.of(size if self.mask is None else self.mask.image.size, size)

    @cached_property
    def _mask(self) -> torch.Tensor:
        """The mask at the latents' resolution, cropped as the input was, or 1; shape (1, 1, h, w)."""
        if self.mask is None:
            return torch.ones(1, 1, 1, 1, device=self.model.plan.device)
        rows, columns = self.latents.shape[-2:]
        return to_mask(self.mask.image, self._frame, (rows, columns)).to(self.model.plan.device)


def _share_run(model: LatentModel, settings: EditSettings, latents: torch.Tensor) -> float:
    """Return the share of the steps that the structure lock leaves in.

    Steps of a diffusion lie evenly in noise levels. Those of a flow do not, and how they lie
    depends on the model and the canvas.
    """
    level = 1 - settings.structure_lock
    if not isinstance(model.objective, Flow) or level in (0, 1):
        return level
    times = model.sampler(settings.scheduler, settings.steps, tuple(latents.shape)).times
    return float((times <= level).double().mean()) + 1e-9  # no step is lost by rounding
