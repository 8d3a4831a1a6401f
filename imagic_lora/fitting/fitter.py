"""The verbs that make adapters of pictures."""

from os import PathLike

from imagic_lora.adapters import adopting
from imagic_lora.adapters.adapter import Adapter
from imagic_lora.captions import search
from imagic_lora.conditioning import Conditioning
from imagic_lora.errors import PromptError, warn
from imagic_lora.fitting.adapters import make_adapter
from imagic_lora.fitting.fit import fit
from imagic_lora.images.canvas import Frame
from imagic_lora.memory.relief import lever_names
from imagic_lora.models.base import LatentModel
from imagic_lora.models.distilled import check_fit
from imagic_lora.models.encoding import ImageSource, RoundTrip, encode, round_trip
from imagic_lora.models.learned import kept
from imagic_lora.models.turns import taking_turns
from imagic_lora.progress import OnProgress, StopFit, ignore
from imagic_lora.settings import FitSettings
from imagic_lora.texts import prompt


class Fitter:
    """Fits pictures; the base model is as it was afterwards.

    Args:
        model: The base model.
    """

    def __init__(self, model: LatentModel) -> None:
        self.model = model

    @taking_turns
    def fit(
        self,
        image: ImageSource,
        *,
        target: str = "",
        source: str | None = None,
        settings: FitSettings = FitSettings(),
        thumbnail: bool = True,
        frame: Frame | None = None,
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
            frame: Which part of the image to fit, at which size; default: as much of it as has the
                shape of the canvas, about its centre.
            on_progress: Called after every step; a StopFit raised in it ends the fit early and
                keeps what was learned. In the search for a caption it ends that search alone.

        Returns:
            The adapter: the same one for the same inputs, plan and machine.

        Raises:
            ImageError: When the image cannot be used.
            PromptError: When neither a target nor a source is given.
            FitError: When the fit diverges, or the model is distilled to a few steps.
        """
        check_fit(self.model.traits)
        target = prompt(target, required=False)
        source = None if source is None else prompt(source, "source caption", required=False)
        if not (target or source):
            raise PromptError("A fit needs a target prompt, or a source caption; both were empty.")
        before = self.model.plan
        encoded = encode(self.model, image, settings.width, settings.height, frame=frame)
        trip = round_trip(self.model, encoded)
        if trip.is_poor:
            warn(
                f"the base model's autoencoder gives this picture back at {trip.decibels:.0f} dB only, so it "
                "knows no such pictures: what an edit changes will not match the rest. From about 25 "
                "dB on it does; try another base model."
            )
        if source is None:
            try:
                latents = encoded.latents
                source = search.find(self.model, latents, target, settings.seed, on_progress)
            except StopFit:
                source = ""
        anchor = self.model.encode_prompt(source)
        words = self._words(target or source) if settings.outweigh else None
        fitted = fit(self.model, encoded.latents, anchor, settings, on_progress, words)
        return make_adapter(
            self.model,
            encoded,
            fitted.lora,
            kept(self.model, fitted.conditioning, anchor),
            thumbnail=thumbnail,
            target=target,
            source=source,
            settings=settings,
            losses=fitted.losses,
            gap=fitted.gap,
            round_trip=round(trip.decibels, 2),
            **lever_names(self.model.plan, before),
        )

    def _words(self, text: str) -> tuple[Conditioning, Conditioning]:
        """Return a prompt and none as conditionings, whose difference a fit must not drown."""
        said, unsaid = self.model.encode_prompt(text, "").rows()
        return said, unsaid

    @taking_turns
    def round_trip(self, image: ImageSource, *, frame: Frame | None = None) -> RoundTrip:
        """Return what comes back of an image through the base model's autoencoder.

        Args:
            image: The image: a path or a PIL image.
            frame: Which part of the image, at which size; default: as much of it as has the shape of
                the canvas, about its centre.

        Raises:
            ImageError: When the image cannot be used.
        """
        return round_trip(self.model, encode(self.model, image, frame=frame))

    @taking_turns
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
        target = prompt(target)
        latents = encode(self.model, image).latents
        return search.find(self.model, latents, target, seed, on_progress)

    @taking_turns
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
        source, target = prompt(source, "source caption"), prompt(target, required=False)
        weights = adopting.load_lora(file, self.model.denoiser)
        anchor = self.model.encode_prompt(source)
        return make_adapter(
            self.model,
            encode(self.model, image),
            weights,
            kept(self.model, anchor, anchor),
            thumbnail=thumbnail,
            target=target,
            source=source,
            settings=None,
            losses=(),
            gap=None,
        )
