"""ImagicEditor: wires a model, a fit and a sampler together; it holds no fit."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import torch
from PIL import Image

from imagic_lora.adapters import adopting as foreign
from imagic_lora.adapters.adapter import Adapter, FitRecord
from imagic_lora.captions import likelihood
from imagic_lora.captions import search as captions
from imagic_lora.editing import edits as editing
from imagic_lora.editing import sampling
from imagic_lora.editing.alphas import AUTO_ALPHAS, Strength
from imagic_lora.editing.picture import Edit, Variation
from imagic_lora.editing.request import EditRequest
from imagic_lora.editing.slots import Slots
from imagic_lora.errors import AdapterMismatchError, PromptError, SettingsError, warn
from imagic_lora.fitting import fit as fitting
from imagic_lora.images.reading import (
    canvas,
    difference,
    image_hash,
    open_image,
    to_images,
    to_mask,
    to_pixels,
    to_thumbnail,
)
from imagic_lora.memory import MemoryPlan, relieved
from imagic_lora.models.base import LatentModel
from imagic_lora.models.loading import load_model
from imagic_lora.planning import choose as planning
from imagic_lora.progress import OnProgress, StopFit, ignore
from imagic_lora.seeding import generator, randn
from imagic_lora.settings import (
    NOISE,
    STRENGTH,
    Attention,
    EditSettings,
    FitSettings,
    SamplingSettings,
)

ImageSource = str | PathLike[str] | Image.Image
_PACKAGES = ("imagic-lora", "torch", "diffusers", "transformers", "peft")


class ImagicEditor:
    """Fits images and edits them by text; the base model is never changed.

    An editor holds no fit: adapters are values, and any number can be used in any order.

    Args:
        model: The base model.
        plan: Where it works and in what precision.
    """

    def __init__(self, model: LatentModel, plan: MemoryPlan) -> None:
        self.model = model
        self.plan = plan
        self._slots = Slots(model.denoiser)
        self._shared_parts: dict[tuple[bytes, str, str], str] = {}
        self._last_batch: tuple[tuple[object, ...], editing.Batch] | None = None

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path,
        *,
        memory: MemoryPlan | str | int = "auto",
        device: str | None = None,
        attention: Attention = "auto",
        config: str | Path | None = None,
    ) -> "ImagicEditor":
        """Load a base model.

        Args:
            source: "demo" (bundled), a Hub name ("owner/name"), a pipeline folder, or one
                .safetensors checkpoint.
            memory: How much memory the work may take on the device: "auto" (what is free), a size
                such as "8GB", bytes, or a whole plan.
            device: Where the work is done, e.g. "cuda" or "cpu"; default: a GPU where there is one.
                A whole plan has its own.
            attention: Kernel of the denoiser's attention: "auto" leaves the choice to PyTorch,
                "sdpa" allows its fused kernels only, "xformers" uses that package. A whole plan has
                its own.
            config: For a checkpoint file: a pipeline folder of the same kind, whose configuration
                and tokenizers are used, so that no network is needed.

        Raises:
            ModelError: When the model is missing, incomplete or of an unsupported kind.
            SettingsError: When the memory is no size, or there is no such attention.
            DeviceError: When the device is not there, too small for the model, or cannot run the
                attention.
            MissingExtraError: When the attention is a package's that is not installed.
        """
        plan = planning.choose(source, memory, device, attention)
        model = load_model(source, plan, config=None if config is None else Path(config))
        return cls(model, plan)

    def fit(
        self,
        image: ImageSource,
        *,
        target: str = "",
        source: str | None = None,
        settings: FitSettings = FitSettings(),
        thumbnail: bool = True,
        on_progress: OnProgress = ignore,
    ) -> Adapter:
        """Fit one image.

        Args:
            image: The image: a path or a PIL image.
            target: Prompt of the edited image; may be left out when a source caption is given.
            source: Caption of the input image, where the fit starts; "" for the empty prompt. By
                default it is the part of the target that the base model finds in the image, see
                `caption`. Any target can be edited later.
            settings: How to fit.
            thumbnail: Keep a small copy of the image, for other tools to show.
            on_progress: Called after every step; a StopFit raised in it ends the fit early and
                keeps what was learned. In the search for a caption it ends that search alone.

        Returns:
            The adapter: the same one for the same inputs, plan and machine.

        Raises:
            ImageError: When the image cannot be used.
            PromptError: When neither a target nor a source is given.
            FitError: When the fit diverges.
        """
        target, source = target.strip(), None if source is None else source.strip()
        if not (target or source):
            raise PromptError("A fit needs a target prompt, or a source caption; both were empty.")
        picture = open_image(image)
        width, height = self.canvas(picture.size, settings.width, settings.height)
        latents = self.model.encode_image(to_pixels(picture, (width, height)))
        if source is None:
            source = self._found_caption(latents, target, settings.seed, on_progress)
        anchor = self.model.encode_prompt(source)
        fitted = fitting.fit(self.model, self.plan, latents, anchor, settings, on_progress)
        levers = self._levers()
        return Adapter(
            fitted.lora,
            fitted.conditioning.to("cpu", torch.float16),
            latents.to("cpu", torch.float16),
            self._record(
                target=target,
                source=source,
                width=width,
                height=height,
                image_sha256=image_hash(picture),
                settings=settings,
                losses=fitted.losses,
                gap=fitted.gap,
                **levers,
            ),
            to_thumbnail(picture) if thumbnail else b"",
        )

    def caption(
        self, image: ImageSource, target: str, *, seed: int = 0, on_progress: OnProgress = ignore
    ) -> str:
        """Return the part of a target prompt that is true of an image before it is edited.

        Words are left out of the target until the base model finds the image as likely as it can:
        of "a girl with a flower" remains "a girl" where there is no flower. It may be empty.

        Args:
            image: The image: a path or a PIL image.
            target: Prompt of the edited image.
            seed: Seed of the noises under which the model looks at the image.
            on_progress: Called after each prompt that was tried.

        Raises:
            ImageError: When the image cannot be used.
            PromptError: When the target is empty.
        """
        if not target.strip():
            raise PromptError("A caption is taken from a target prompt; it was empty.")
        picture = open_image(image)
        size = self.canvas(picture.size, None, None)
        latents = self.model.encode_image(to_pixels(picture, size))
        return captions.find(self.model, latents, target.strip(), "", seed, on_progress)

    def _found_caption(
        self, latents: torch.Tensor, target: str, seed: int, on_progress: OnProgress
    ) -> str:
        """Return a caption from the target; the empty one where the search was stopped."""
        try:
            return captions.find(self.model, latents, target, "", seed, on_progress)
        except StopFit:
            return ""

    def adopt(
        self,
        file: str | PathLike[str],
        image: ImageSource,
        *,
        source: str,
        target: str = "",
        thumbnail: bool = True,
    ) -> Adapter:
        """Make an adapter of a LoRA file of another tool, for one image; nothing is fitted.

        Such a file has no embedding and no image, so the adapter's conditioning is that of the
        source caption as it is: it works with plain prompts, and reconstructs the image only as far
        as the LoRA knows it.

        Args:
            file: A safetensors file of kohya's scripts, diffusers or PEFT, whatever its alpha.
            image: The image to edit: a path or a PIL image.
            source: Caption of the image, as the LoRA was trained with.
            target: Prompt of the edited image.
            thumbnail: Keep a small copy of the image, for other tools to show.

        Raises:
            AdapterFileError: When the file is damaged, or no plain LoRA (e.g. LyCORIS or DoRA).
            AdapterMismatchError: When it was made for another kind of model.
            ImageError: When the image cannot be used.
            PromptError: When the caption is empty.
        """
        if not source.strip():
            raise PromptError("Adopting a LoRA needs a source caption; it was empty.")
        weights = foreign.load_lora(file, self.model.denoiser)
        picture = open_image(image)
        width, height = self.canvas(picture.size, None, None)
        latents = self.model.encode_image(to_pixels(picture, (width, height)))
        return Adapter(
            weights,
            self.model.encode_prompt(source.strip()).to("cpu", torch.float16),
            latents.to("cpu", torch.float16),
            self._record(
                target=target.strip(),
                source=source.strip(),
                width=width,
                height=height,
                image_sha256=image_hash(picture),
                settings=None,
                losses=(),
                gap=None,
            ),
            to_thumbnail(picture) if thumbnail else b"",
        )

    def edit(
        self,
        adapter: Adapter,
        *,
        alpha: float | Literal["auto"] = 1.0,
        target: str = "",
        mask: ImageSource | None = None,
        settings: EditSettings = EditSettings(),
        on_progress: OnProgress = ignore,
    ) -> Edit:
        """Make one edited picture.

        Args:
            adapter: The fit of the image.
            alpha: Prompt strength: 0 reconstructs the input, 1 is the target prompt; any real
                number. "auto" tries several and returns the best, see `strength`.
            target: Prompt to edit towards; default: the one that was given to the fit.
            mask: A picture of the input's shape, white where the edit may change it and black
                where the input stays.
            settings: How to denoise.
            on_progress: Called after every step; also after each prompt that is tried where the fit's
                caption says more than the target, so that what both share has to be found.

        Raises:
            SettingsError: When alpha is not a finite number.
            ImageError: When the mask cannot be used, or is black everywhere.
            PromptError: When there is no target at all.
            AdapterMismatchError: When the adapter was fitted on another kind of model.
        """
        if alpha == "auto":
            found = self.strength(
                adapter, target=target, mask=mask, settings=settings, on_progress=on_progress
            )
            return found.best
        request = EditRequest(adapter=adapter, alpha=alpha, target=target)
        return self._edit_rows([request], mask, settings, on_progress)[0]

    def edit_batch(
        self,
        requests: Sequence[EditRequest],
        *,
        settings: EditSettings = EditSettings(),
        on_progress: OnProgress = ignore,
    ) -> list[Edit]:
        """Make several edited pictures in one batch, each with its own adapter.

        The pictures are those of one edit after another, up to rounding. The denoiser's activations
        take as many times the memory as there are requests.

        Args:
            requests: One for each picture, at least one; all of one canvas, unless the settings
                have a size.
            settings: How to denoise; the seed is that of the requests without one of their own.
            on_progress: Called after every step of all of them together.

        Returns:
            The edits, in the order of the requests.

        Raises:
            SettingsError: When there is no request, or the canvases differ.
            PromptError: When one has no target at all.
            AdapterMismatchError: When an adapter was fitted on another kind of model.
        """
        if not requests:
            raise SettingsError("A batch of edits needs at least one request; there was none.")
        return self._edit_rows(requests, None, settings, on_progress)

    def strength(
        self,
        adapter: Adapter,
        *,
        alphas: Sequence[float] = AUTO_ALPHAS,
        target: str = "",
        mask: ImageSource | None = None,
        settings: EditSettings = EditSettings(),
        on_progress: OnProgress = ignore,
    ) -> Strength:
        """Find how strong an edit should be, by the base model's own opinion of the pictures.

        Args:
            adapter: The fit of the image.
            alphas: Strengths to try, rising.
            target: Prompt to edit towards; default: the one that was given to the fit.
            mask: Where the edit may change the picture, as for `edit`.
            settings: How to denoise.
            on_progress: Called after every step of every edit.

        Returns:
            The edits, which of them to take, and the range of strengths that serve.

        Raises:
            SettingsError: When there is no alpha, or one is not a finite number.
        """
        if not alphas:
            raise SettingsError("Finding a strength needs at least one alpha to try; it got none.")
        edits = tuple(
            self.edit(
                adapter,
                alpha=alpha,
                target=target,
                mask=mask,
                settings=settings,
                on_progress=on_progress,
            )
            for alpha in alphas
        )
        before = self._decode(self._resized_latents(adapter, settings))
        return Strength(
            edits=edits,
            surprises=tuple(self.surprise(edit.image, edit.target) for edit in edits),
            changes=tuple(difference(before, edit.image) for edit in edits),
        )

    def surprise(self, image: ImageSource, prompt: str) -> float:
        """Return how little the base model expects a picture under a prompt: less is likelier.

        Args:
            image: The picture: a path or a PIL image.
            prompt: What it should show.
        """
        picture = open_image(image)
        size = self.canvas(picture.size, *picture.size)
        latents = self.model.encode_image(to_pixels(picture, size))
        towards = self.model.encode_prompt(prompt)
        with self.model.plan.denoising(self.model.denoiser):
            return likelihood.surprise(self.model, latents, towards, 0)

    def sweep(
        self,
        adapter: Adapter,
        *,
        alphas: Sequence[float],
        seeds: Sequence[int] = (),
        target: str = "",
        mask: ImageSource | None = None,
        settings: EditSettings = EditSettings(),
        on_progress: OnProgress = ignore,
    ) -> Iterator[Edit]:
        """Yield one edit after another, as they are made: every alpha for every seed.

        Args:
            adapter: The fit of the image.
            alphas: Prompt strengths.
            seeds: Seeds; default: the one of the settings.
            target: Prompt to edit towards; default: the one that was given to the fit.
            mask: Where the edits may change the picture, as for `edit`.
            settings: How to denoise.
            on_progress: Called after every step of every edit.
        """
        for seed in seeds or (settings.seed,):
            seeded = replace(settings, seed=seed)
            for alpha in alphas:
                yield self.edit(
                    adapter,
                    alpha=alpha,
                    target=target,
                    mask=mask,
                    settings=seeded,
                    on_progress=on_progress,
                )

    def img2img(
        self,
        image: ImageSource,
        target: str,
        *,
        strength: float = 0.6,
        noise: float = 0.0,
        settings: SamplingSettings = SamplingSettings(),
        on_progress: OnProgress = ignore,
    ) -> Variation:
        """Make a picture by plain img2img, the baseline to hold an edit against.

        Args:
            image: The image: a path or a PIL image.
            target: The prompt.
            strength: Share of the noise levels that are run, 0 to 1.
            noise: Extra noise mixed into the input, 0 to 1, in standard deviations of its latents.
            settings: How to denoise.
            on_progress: Called after every step.

        Raises:
            ImageError: When the image cannot be used.
            PromptError: When the prompt is empty.
            SettingsError: When strength or noise is out of range.

        Source: Meng et al. 2021 (SDEdit), arXiv 2108.01073.
        """
        STRENGTH.check("strength", strength)
        NOISE.check("noise", noise)
        if not target.strip():
            raise PromptError("img2img needs a prompt; it was empty.")
        picture = open_image(image)
        size = self.canvas(picture.size, settings.width, settings.height)
        latents = self.model.encode_image(to_pixels(picture, size))
        extra = randn(tuple(latents.shape), generator(settings.seed, "input noise"))
        latents = latents + noise * latents.std() * extra.to(latents.device)
        away, towards = self.model.encode_prompt(settings.negative, target.strip()).rows()
        predictor = sampling.classifier_free(self.model, away, towards, settings.guidance)
        start = sampling.Start(latents, strength, (settings.seed,))
        return Variation(
            image=self._denoise(predictor, start, settings, on_progress)[0],
            target=target.strip(),
            settings=settings,
            base_model=self.model.traits.name,
            strength=strength,
            noise=noise,
            image_sha256=image_hash(picture),
            **self._levers(),
        )

    def canvas(
        self, image_size: tuple[int, int], width: int | None = None, height: int | None = None
    ) -> tuple[int, int]:
        """Return the width and height that an image is worked on at, in pixels.

        Args:
            image_size: Width and height of the image, in pixels.
            width: Width asked for, in pixels; default: from the image.
            height: Height asked for, likewise.
        """
        traits = self.model.traits
        return canvas(
            image_size,
            native=traits.native_size,
            multiple=traits.multiple,
            width=width,
            height=height,
        )

    def check(self, adapter: Adapter, place: str = "") -> None:
        """Raise for an adapter of another kind of model; warn for one of another checkpoint.

        Args:
            adapter: The adapter that is to be used here.
            place: Which of several it is, for the message, e.g. " of row 2".

        Raises:
            AdapterMismatchError: When it was fitted on another family or width of model.
        """
        traits, record = self.model.traits, adapter.record
        width = adapter.conditioning.tokens.shape[-1]
        if (record.family, width) != (traits.family, traits.token_width):
            raise AdapterMismatchError(
                f"The adapter{place} was fitted on {record.base_model!r} (family {record.family}, "
                f"embedding width {width}), but this model is {traits.name!r} (family "
                f"{traits.family}, embedding width {traits.token_width}); load a base model like "
                "the adapter's."
            )
        if record.fingerprint not in traits.fingerprints:
            warn(
                f"The adapter{place} was fitted on {record.base_model!r}, this is another checkpoint, "
                f"{traits.name!r}: the picture may differ from the input even at alpha 0."
            )

    def input_image(self, adapter: Adapter) -> Image.Image:
        """Return the input image as an adapter holds it: decoded from its latents.

        Args:
            adapter: The fit of the image.

        Raises:
            AdapterMismatchError: When the adapter was fitted on another kind of model.
        """
        self.check(adapter)
        image = self._decode(adapter.latents.float())
        self.plan = self.model.plan
        return image

    def _edit_rows(
        self,
        requests: Sequence[EditRequest],
        mask: ImageSource | None,
        settings: EditSettings,
        on_progress: OnProgress,
    ) -> list[Edit]:
        """Make the edits of one batch."""
        targets = [request.resolve_target() for request in requests]
        for row, request in enumerate(requests, start=1):
            self.check(request.adapter, f" of row {row}" if len(requests) > 1 else "")
        latents = self._start_latents(requests, settings)
        free = None if mask is None else self._mask(mask, requests[0].adapter, latents)
        shared = [self._shared(request, settings, on_progress) for request in requests]
        batch = self._batch(requests, settings, latents, shared, free)
        predictor = batch.predictor([request.alpha for request in requests])
        weights = [request.adapter.lora for request in requests]
        with self._slots.holding(weights, self.plan.device):
            images = self._denoise(predictor, batch.start, settings, on_progress)
        levers = self._levers()
        return [
            Edit(
                image=image,
                target=target,
                settings=replace(settings, seed=seed),
                base_model=self.model.traits.name,
                alpha=request.alpha,
                adapter_sha256=request.adapter.sha256,
                **levers,
            )
            for image, target, seed, request in zip(
                images, targets, batch.seeds, requests, strict=True
            )
        ]

    def _batch(
        self,
        requests: Sequence[EditRequest],
        settings: EditSettings,
        latents: torch.Tensor,
        shared: Sequence[str | None],
        mask: torch.Tensor | None,
    ) -> editing.Batch:
        """Return the batch of some edits; the last one, if they differ from it in alpha alone."""
        adapters = [request.adapter for request in requests]
        targets = [request.resolve_target() for request in requests]
        seeds = tuple(settings.seed if r.seed is None else r.seed for r in requests)
        held = None if mask is None else mask.numpy().tobytes()
        digests = [adapter.sha256 for adapter in adapters]
        key = (digests, targets, seeds, settings, *shared, held, self.model.plan)
        if self._last_batch is None or self._last_batch[0] != key:
            batch = editing.Batch(
                self.model, adapters, targets, seeds, settings, latents, shared, mask
            )
            self._last_batch = key, batch
        return self._last_batch[1]

    def _shared(
        self, request: EditRequest, settings: EditSettings, on_progress: OnProgress
    ) -> str | None:
        """Return what an edit's target shares with its input; None where the fit's caption is that.

        It is found once for an input, its caption and a target, whatever else changes.
        """
        adapter, target = request.adapter, request.resolve_target()
        source = adapter.record.source
        unused = settings.direction == "interpolate" or settings.negative or request.alpha == 0
        if unused or not captions.says_more(source, target):
            return None
        key = (adapter.latents.numpy().tobytes(), source, target)
        if key not in self._shared_parts:
            latents = adapter.latents.to(self.plan.device, torch.float32)
            found = captions.find(self.model, latents, target, source, 0, on_progress)
            self._shared_parts[key] = found
        return self._shared_parts[key]

    def _record(self, **values: Any) -> FitRecord:
        """Return a record of what was done with this model and these packages."""
        traits = self.model.traits
        return FitRecord(
            family=traits.family,
            base_model=traits.name,
            fingerprint=traits.fingerprint,
            prediction=self.model.objective.prediction,
            versions={package: version(package) for package in _PACKAGES},
            **values,
        )

    def _start_latents(
        self, requests: Sequence[EditRequest], settings: EditSettings
    ) -> torch.Tensor:
        """Return the inputs' latents, all of one size."""
        rows = [self._resized_latents(request.adapter, settings) for request in requests]
        if len({row.shape for row in rows}) > 1:
            records = [request.adapter.record for request in requests]
            sizes = sorted({f"{record.width}x{record.height}" for record in records})
            raise SettingsError(
                f"A batch of edits has one canvas, but the adapters were fitted at "
                f"{', '.join(sizes)}; give a width and a height, or make a batch of each size."
            )
        return torch.cat(rows)

    def _mask(self, mask: ImageSource, adapter: Adapter, latents: torch.Tensor) -> torch.Tensor:
        """Return a mask at the latents' resolution, cropped as the input was."""
        record, (rows, columns) = adapter.record, latents.shape[-2:]
        return to_mask(open_image(mask), (record.width, record.height), (rows, columns))

    def _resized_latents(self, adapter: Adapter, settings: EditSettings) -> torch.Tensor:
        """Return the input's latents, resized when another size than the fit's is asked for."""
        fitted = (adapter.record.width, adapter.record.height)
        latents = adapter.latents.float()
        if settings.width is None and settings.height is None:
            return latents
        width, height = self.canvas(fitted, settings.width, settings.height)
        rows, columns = (
            round(side * latent / pixels)
            for side, latent, pixels in zip(
                (height, width), latents.shape[-2:], fitted[::-1], strict=True
            )
        )
        return torch.nn.functional.interpolate(latents, (rows, columns), mode="bilinear")

    def _denoise(
        self,
        predictor: sampling.Predictor,
        start: sampling.Start,
        settings: SamplingSettings,
        on_progress: OnProgress,
    ) -> list[Image.Image]:
        """Denoise a batch, and decode one picture after another, which takes the least memory."""
        scheduler = self.model.scheduler(settings.scheduler)
        latents = sampling.denoise(
            self.model, self.plan, scheduler, predictor, start, settings.steps, on_progress
        )
        return [self._decode(row) for row in torch.split(latents, 1)]

    def _decode(self, latents: torch.Tensor) -> Image.Image:
        """Return the picture of latents of shape (1, C, h, w)."""
        pixels = relieved(self.model, "decode", partial(self.model.decode, latents))
        return to_images(pixels)[0]

    def _levers(self) -> dict[str, tuple[str, ...]]:
        """Go on with the levers that the work ended with; name them all, and those that are new."""
        before, self.plan = self.plan.levers, self.model.plan
        after = self.plan.levers
        return {
            "levers": tuple(lever.name for lever in after),
            "relieved": tuple(lever.name for lever in after if lever not in before),
        }
