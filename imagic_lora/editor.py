"""ImagicEditor: what is done with one base model; it holds no fit and no plan of its own."""

from pathlib import Path

from PIL import Image

from imagic_lora.captions.likelihood import Pull
from imagic_lora.editing import masks, witnesses
from imagic_lora.editing.painter import Painter
from imagic_lora.fitting.fitter import Fitter
from imagic_lora.images.canvas import Frame
from imagic_lora.images.reading import open_image
from imagic_lora.memory import MemoryPlan
from imagic_lora.models.base import LatentModel
from imagic_lora.models.encoding import ImageSource, canvas_of
from imagic_lora.models.loading import load_model
from imagic_lora.models.prediction import PredictionName
from imagic_lora.models.turns import taking_turns
from imagic_lora.planning.choose import choose
from imagic_lora.settings import Attention
from imagic_lora.texts import prompt


class ImagicEditor(Fitter, Painter):
    """Fits images and edits them by text; the base model is never changed.

    An editor holds no fit: adapters are values, and any number can be used in any order. Calls from
    several threads wait for each other, and each is answered as if it were alone.

    Args:
        model: The base model.
    """

    def __init__(self, model: LatentModel) -> None:
        Fitter.__init__(self, model)
        Painter.__init__(self, model)

    @property
    def plan(self) -> MemoryPlan:
        """Where the model works and in what precision."""
        return self.model.plan

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path,
        *,
        memory: MemoryPlan | str | int = "auto",
        device: str | None = None,
        attention: Attention = "auto",
        config: str | Path | None = None,
        prediction: PredictionName = "auto",
        clip_skip: int = 0,
    ) -> "ImagicEditor":
        """Load a base model.

        Args:
            source: "demo" (bundled), the name of a known model such as "sd15", a Hub name
                ("owner/name"), a pipeline folder, or one .safetensors checkpoint.
            memory: How much memory the work may take on the device: "auto" (what is free), a size
                such as "8GB", bytes, or a whole plan.
            device: Where the work is done, e.g. "cuda" or "cpu"; default: a GPU where there is one.
                A whole plan has its own.
            attention: Kernel of the denoiser's attention: "auto" leaves the choice to PyTorch,
                "sdpa" allows its fused kernels only, "xformers" uses that package. A whole plan has
                its own.
            config: For a checkpoint file: a pipeline folder of the same kind, whose configuration
                and tokenizers are used, so that no network is needed; so are its weights of parts
                that the file lacks.
            prediction: What the denoiser predicts, for a model whose files do not say, or say it
                wrongly; "auto" is what they say.
            clip_skip: Layers that are left out at the end of each text encoder, as models of drawn
                characters are used; 1 is what other tools call clip skip 2.

        Raises:
            ModelError: When the model is missing, incomplete or of an unsupported kind.
            SettingsError: When the memory is no size, or there is no such attention, prediction
                or clip skip.
            DeviceError: When the device is not there, too small for the model, or cannot run the
                attention.
            MissingExtraError: When the attention is a package's that is not installed.
        """
        plan = choose(source, memory, device, attention)
        folder = None if config is None else Path(config)
        return cls(
            load_model(source, plan, config=folder, prediction=prediction, clip_skip=clip_skip)
        )

    @taking_turns
    def pull(self, image: ImageSource, source: str, target: str) -> Pull:
        """Return how the base model is drawn from one prompt to another by looking at a picture.

        What is left of it after an edit, as a share of what there was before, says how far the edit
        is: 1 is not begun, 0 is done, below 0 is past it.

        Args:
            image: The picture: a path or a PIL image, at whose size it is looked at.
            source: What the input shows.
            target: What an edit should show.
        """
        return witnesses.pull(self.model, open_image(image), source, target)

    @taking_turns
    def find_mask(
        self, image: ImageSource, words: str, *, frame: Frame | None = None
    ) -> Image.Image:
        """Find where a picture shows what words name, as a mask for edits of it.

        Args:
            image: The picture: a path or a PIL image.
            words: What to look for, such as "the hat".
            frame: Which part of the picture to look at, at which size; default: as much of it as
                has the shape of the canvas, about its centre.

        Returns:
            A mask of the canvas's size, mode L: white where it is.

        Raises:
            ImageError: When the image cannot be used, or shows it nowhere.
            PromptError: When there are no words.
        """
        picture = open_image(image)
        frame = frame or Frame.of(picture.size, canvas_of(self.model, picture.size))
        return masks.find(self.model, frame.cut(picture), prompt(words, "name of what to mask"))

    def canvas(
        self, image_size: tuple[int, int], width: int | None = None, height: int | None = None
    ) -> tuple[int, int]:
        """Return the width and height that an image is worked on at, in pixels.

        Args:
            image_size: Width and height of the image, in pixels.
            width: Width asked for, in pixels; default: from the image.
            height: Height asked for, likewise.
        """
        return canvas_of(self.model, image_size, width, height)
