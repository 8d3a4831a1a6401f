"""The verbs that make pictures of adapters."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Literal

from PIL import Image

from imagic_lora.adapters.adapter import Adapter
from imagic_lora.adapters.matching import check_fits
from imagic_lora.editing import alphas as finding
from imagic_lora.editing import masks
from imagic_lora.editing.alphas import AlphaSearch
from imagic_lora.editing.asked import Asked
from imagic_lora.editing.edits import Edits
from imagic_lora.editing.img2img import img2img
from imagic_lora.editing.masks import MaskSource
from imagic_lora.editing.picture import Edit, Variation
from imagic_lora.editing.prompts import Prompts
from imagic_lora.editing.request import EditRequest
from imagic_lora.editing.slots import Slots
from imagic_lora.editing.spacing import AlphaRange, swept
from imagic_lora.editing.witnesses import BaseModel, Scorer, Witness
from imagic_lora.errors import SettingsError
from imagic_lora.images.pixels import to_images
from imagic_lora.models.base import LatentModel
from imagic_lora.models.distilled import check_negative
from imagic_lora.models.encoding import ImageSource
from imagic_lora.models.scorer import PictureScorer
from imagic_lora.models.turns import taking_turns
from imagic_lora.progress import OnProgress, ignore
from imagic_lora.settings import EditSettings, SamplingSettings


class Painter:
    """Edits pictures by their adapters, any number of them in any order.

    Args:
        model: The base model.
    """

    def __init__(self, model: LatentModel) -> None:
        self.model = model
        self._slots = Slots(model.denoiser)

    @taking_turns
    def edits(
        self,
        requests: Sequence[EditRequest],
        *,
        mask: MaskSource | None = None,
        settings: EditSettings = EditSettings(),
        on_progress: OnProgress = ignore,
    ) -> Edits:
        """Return edits that can be made at any strength: what alpha does not change is found once.

        Args:
            requests: One for each picture, at least one; all of one canvas, unless the settings
                have a size.
            mask: A picture or an array of the input's shape, white where the edits may change it
                and black where the input stays; or words such as "the hat", see `ImagicEditor.find_mask`.
            settings: How to denoise; the seed is that of the requests without one of their own.
            on_progress: Called after every step of whatever is done with them.

        Raises:
            SettingsError: When there is no request, the canvases differ, or a negative prompt is
                given to a model that has none.
            ImageError: When the mask cannot be used, or is black everywhere.
            AdapterMismatchError: When an adapter was fitted on another kind of model.
        """
        if not requests:
            raise SettingsError("A batch of edits needs at least one request; there was none.")
        check_negative(self.model.traits, settings.negative)
        for row, request in enumerate(requests, start=1):
            place = f" of row {row}" if len(requests) > 1 else ""
            check_fits(request.adapter, self.model.traits, place)
        drawn = partial(self.input_image, requests[0].adapter)
        return Edits(
            self.model,
            self._slots,
            Asked(Prompts(self.model, tuple(requests), settings)),
            tuple(settings.seed if r.seed is None else r.seed for r in requests),
            None if mask is None else masks.given(self.model, mask, drawn),
            on_progress,
        )

    def edit(
        self,
        adapter: Adapter,
        *,
        alpha: float | Literal["auto"] = 1.0,
        target: str = "",
        mask: MaskSource | None = None,
        settings: EditSettings = EditSettings(),
        on_progress: OnProgress = ignore,
    ) -> Edit:
        """Make one edited picture.

        Args:
            adapter: The fit of the image.
            alpha: Prompt strength: 0 reconstructs the input, 1 is the target prompt; any real
                number. "auto" takes 1 unless the base model sees the edit not done there, or it
                changes more than was asked, see `find_alpha`.
            target: Prompt to edit towards; default: the one that was given to the fit.
            mask: A picture or an array of the input's shape, white where the edit may change it
                and black where the input stays; or words such as "the hat", see `ImagicEditor.find_mask`.
            settings: How to denoise.
            on_progress: Called after every step.

        Raises:
            SettingsError: When alpha is not a finite number.
            ImageError: When the mask cannot be used, or is black everywhere.
            PromptError: When there is no target at all.
            AdapterMismatchError: When the adapter was fitted on another kind of model.
        """
        if alpha == "auto":
            found = self.find_alpha(
                adapter, target=target, mask=mask, settings=settings, on_progress=on_progress
            )
            return found.best
        request = EditRequest(adapter=adapter, alpha=alpha, target=target)
        edits = self.edits([request], mask=mask, settings=settings, on_progress=on_progress)
        return edits.at([alpha])[0]

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
        edits = self.edits(requests, settings=settings, on_progress=on_progress)
        return edits.at([request.alpha for request in requests])

    @taking_turns
    def find_alpha(
        self,
        adapter: Adapter,
        *,
        alphas: Sequence[float] | None = None,
        target: str = "",
        mask: MaskSource | None = None,
        scorer: PictureScorer | None = None,
        settings: EditSettings = EditSettings(),
        on_progress: OnProgress = ignore,
    ) -> AlphaSearch:
        """Find how strong an edit should be: as near to 1 as it is done, and changes little else.

        Args:
            adapter: The fit of the image.
            alphas: Strengths to try; default: 1, which mostly is it; twice as much as long as the
                edit is not done and changes little else; then three quarters and half of the first
                that is done, as long as they are wholly done and change more than was asked.
            target: Prompt to edit towards; default: the one that was given to the fit.
            mask: Where the edit may change the picture, as for `edit`.
            scorer: Who is asked in the base model's place, a model like CLIP or SigLIP. An edit is
                done when it is as sure of the target as it was of the caption at the input.
            settings: How to denoise.
            on_progress: Called after every step of every edit.

        Returns:
            The edits, which of them to take, the range of strengths that serve, and a doubt where
            the choice cannot be trusted, which is warned of too.

        Raises:
            SettingsError: When there is no alpha, or one is not a finite number.
            PromptError: When there is a scorer, and the fit has no caption to hold the target against.
        """
        if alphas is not None and not alphas:
            raise SettingsError("Finding a strength needs at least one alpha to try; it got none.")
        request = EditRequest(adapter=adapter, target=target)
        edits = self.edits([request], mask=mask, settings=settings, on_progress=on_progress)
        witness: Witness = BaseModel(edits)
        if scorer is not None:
            witness = Scorer(edits, scorer, partial(self.input_image, adapter))
        return finding.search(edits, alphas or (), witness)

    def sweep(
        self,
        adapter: Adapter,
        *,
        alphas: Sequence[float] | AlphaRange = AlphaRange(),
        seeds: Sequence[int] = (),
        target: str = "",
        mask: MaskSource | None = None,
        settings: EditSettings = EditSettings(),
        on_progress: OnProgress = ignore,
    ) -> Iterator[Edit]:
        """Yield one edit after another, as they are made: every alpha for every seed.

        Args:
            adapter: The fit of the image.
            alphas: Prompt strengths; default: six from 0 to 1.6, spaced by visible change, in the
                order in which they are found with the first seed.
            seeds: Seeds; default: the one of the settings.
            target: Prompt to edit towards; default: the one that was given to the fit.
            mask: Where the edits may change the picture, as for `edit`.
            settings: How to denoise.
            on_progress: Called after every step of every edit.
        """
        request = EditRequest(adapter=adapter, target=target)
        edits = self.edits([request], mask=mask, settings=settings, on_progress=on_progress)
        yield from swept(edits, alphas, seeds or (settings.seed,))

    @taking_turns
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
        return img2img(
            self.model,
            image,
            target,
            strength=strength,
            noise=noise,
            settings=settings,
            on_progress=on_progress,
        )

    def check(self, adapter: Adapter) -> None:
        """Raise for an adapter of another kind of model; warn for one of another checkpoint.

        Args:
            adapter: The adapter that is to be used here.

        Raises:
            AdapterMismatchError: When it was fitted on another family or width of model.
        """
        check_fits(adapter, self.model.traits)

    @taking_turns
    def input_image(self, adapter: Adapter) -> Image.Image:
        """Return the input image as an adapter holds it; where it does not, decoded from its latents.

        Args:
            adapter: The fit of the image.

        Raises:
            AdapterMismatchError: When the adapter was fitted on another kind of model.
        """
        self.check(adapter)
        return adapter.input or to_images(self.model.decode(adapter.latents.float()))[0]
