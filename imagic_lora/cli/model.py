"""The base model of a command: its flags, and loading it."""

from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagic_lora.cli.flags import Declare, Run, flag, one, path, text, together
from imagic_lora.cli.terminal import Terminal
from imagic_lora.models.prediction import CLIP_SKIP, PREDICTION, PredictionName
from imagic_lora.settings import ATTENTION, Attention

if TYPE_CHECKING:
    from imagic_lora.editor import ImagicEditor

STABLE_DIFFUSION = "stable-diffusion-v1-5/stable-diffusion-v1-5"
"""The base model where none is named."""


@dataclass(frozen=True, kw_only=True)
class BaseModel:
    """A base model and where it is to work, as it was asked for.

    Attributes:
        model: "demo", a Hub name, a folder or a checkpoint; "" where none was named.
        config: For a checkpoint: a pipeline folder of the same kind, or None.
        device: Where to work, or None for a GPU where there is one.
        memory: What the work may take on the device.
        attention: Kernel of the denoiser's attention.
        prediction: What the denoiser predicts.
        clip_skip: Layers that are left out at the end of each text encoder.
    """

    model: str
    config: Path | None
    device: str | None
    memory: str
    attention: Attention
    prediction: PredictionName = "auto"
    clip_skip: int = 0

    def loading(self) -> dict[str, Any]:
        """Return what was asked for besides the model, for what loads it elsewhere."""
        asked = {each.name: getattr(self, each.name) for each in fields(self)}
        del asked["model"]
        return {name: value for name, value in asked.items() if value not in (None, "auto", 0)}

    def another(self, model: str) -> "BaseModel":
        """Return another model at the same place; what was said of this one alone is left out."""
        return BaseModel(
            model=model,
            config=None,
            device=self.device,
            memory=self.memory,
            attention=self.attention,
        )

    def load(self, terminal: Terminal) -> "ImagicEditor":
        """Return an editor over it."""
        from imagic_lora.editor import ImagicEditor
        from imagic_lora.planning.choose import choose

        plan = choose(self.model, self.memory, self.device, self.attention)
        terminal.say(f"loading {self.model} on {plan.device}")
        return ImagicEditor.from_pretrained(
            self.model,
            memory=plan,
            config=self.config,
            prediction=self.prediction,
            clip_skip=self.clip_skip,
        )


def base_model(default: str, ending: str = "") -> Declare:
    """Declare the flags of the base model; the run gets them as `base`.

    Args:
        default: The model where none is named.
        ending: What the help says of that.
    """

    def declare(run: Run) -> Run:
        @wraps(run)
        def with_model(*args: Any, **values: Any) -> None:
            names = ("model", "config", "device", "memory", "attention", "prediction", "clip_skip")
            base = BaseModel(**{name: values.pop(name) for name in names})
            run(*args, base=base, **values)

        return together(_flags(default, ending or f"default: {default}"))(with_model)

    return declare


def _flags(default: str, ending: str) -> list[Declare]:
    """Return the flags of the base model."""
    title = "The base model"
    return [
        flag(
            "--model",
            read=text,
            default=default,
            metavar="NAME",
            help="'demo', 'sd15', 'sd21', 'sdxl', 'sd35m', 'klein4b', 'klein9b', 'zimage', a Hub "
            "name (owner/name), a pipeline folder, or a .safetensors checkpoint "
            f"({ending})",
            section=title,
        ),
        flag(
            "--config",
            read=path,
            metavar="DIR",
            help="for a checkpoint: a pipeline folder of the same kind, so that no network is "
            "needed",
            section=title,
        ),
        flag(
            "--device",
            read=text,
            metavar="NAME",
            help="where to work, e.g. cuda or cpu (default: a GPU where there is one)",
            section=title,
        ),
        flag(
            "--memory",
            read=text,
            default="auto",
            metavar="SIZE",
            help="what the work may take on the device, e.g. 8GB (default: auto, what is free)",
            section=title,
        ),
        flag(
            "--attention",
            read=one(ATTENTION),
            default="auto",
            metavar="KERNEL",
            help=f"{ATTENTION.help} ({ATTENTION.range_text()}; default: auto)",
            section=title,
        ),
        flag(
            "--prediction",
            read=one(PREDICTION),
            default="auto",
            metavar="WHAT",
            help=f"{PREDICTION.help} ({PREDICTION.range_text()}; default: auto)",
            section=title,
        ),
        flag(
            "--clip-skip",
            read=one(CLIP_SKIP),
            default=0,
            metavar="N",
            help=f"{CLIP_SKIP.help} ({CLIP_SKIP.range_text()}; default: 0)",
            section=title,
        ),
    ]
