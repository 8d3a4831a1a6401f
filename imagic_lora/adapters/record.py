"""What was fitted, on what, how, and how it went: as a value, and as the plain values of a file.

Nothing that a file says is believed before it is checked here. Knows nothing of tensors.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from imagic_lora.errors import AdapterFileError, ImageError, PromptError, SettingsError, quoted
from imagic_lora.images.canvas import Frame
from imagic_lora.models.families import FAMILIES
from imagic_lora.objective import OBJECTIVES
from imagic_lora.settings import FitSettings, is_number
from imagic_lora.texts import text

_LISTS = ("levers", "relieved", "left_out")
_OPTIONAL = (*_LISTS, "frame", "round_trip")
"""Fields that a file leaves out when they are empty."""

_LONGEST_NAME = 255
"""Most characters of the name of a folder or a file."""

_TEXTS = ("fingerprint", "target", "source", "image_sha256")


@dataclass(frozen=True, kw_only=True)
class FitRecord:
    """What was fitted, on what, how, and how it went.

    Attributes:
        family: Kind of base model.
        base_model: Name of the base model.
        fingerprint: Tells checkpoints of one family apart.
        prediction: What the base model's denoiser predicts.
        target: Prompt of the edited image, or "".
        source: Caption of the input image, or "".
        width: Width of the canvas, in pixels.
        height: Height of the canvas, in pixels.
        image_sha256: Hash of the input image's size and RGB bytes.
        settings: Settings of the fit; None where another tool made the weights.
        losses: Mean loss of every optimiser step; none where another tool made the weights.
        gap: Loss after the fit as a share of the loss before it, on the same noise; None where
            another tool made the weights.
        versions: Versions of the packages that made it.
        levers: Names of the levers that were pulled when the fit ended, lowest first.
        relieved: Those of them that were pulled because the device ran out of memory.
        left_out: Networks that models of the family have and the base model was made without.
        frame: Which part of the picture was fitted; None where an earlier version did not say.
        round_trip: How near the picture comes back through the autoencoder, in dB; None likewise.
    """

    family: str
    base_model: str
    fingerprint: str
    prediction: str
    target: str
    source: str
    width: int
    height: int
    image_sha256: str
    settings: FitSettings | None
    losses: tuple[float, ...]
    gap: float | None
    versions: Mapping[str, str]
    levers: tuple[str, ...] = ()
    relieved: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    frame: Frame | None = None
    round_trip: float | None = None

    def __hash__(self) -> int:
        """Return a hash of what tells fits apart; the versions are in a mapping, which has none."""
        return hash((self.image_sha256, self.fingerprint, self.source, self.target, self.losses))

    @property
    def caption(self) -> str:
        """The prompt that recalls the picture: the source, or the target if that is all."""
        return self.source or self.target

    @property
    def needs_words_alone(self) -> bool:
        """Whether the fit held the embedding at the caption's own, so that the caption will do."""
        return self.settings is not None and self.settings.embedding_lr == 0

    def values(self) -> dict[str, Any]:
        """Return it as plain values for a file."""
        return {n: value for n, value in asdict(self).items() if value or n not in _OPTIONAL}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "FitRecord":
        """Return the record in the plain values of a file.

        Args:
            values: What `values` gives; fields of a later minor version are passed over.

        Raises:
            AdapterFileError: When a field is missing, of another type or out of range.
        """
        wanted = {item.name for item in fields(cls)}
        missing = wanted - values.keys() - set(_OPTIONAL)
        if missing:
            raise AdapterFileError(f"its header lacks {', '.join(sorted(missing))}.")
        given = {name: values[name] for name in wanted & values.keys()}
        given |= {name: _text(name, values[name]) for name in _TEXTS}
        given |= {name: _side(name, values[name]) for name in ("width", "height")}
        given |= {name: _texts(name, values.get(name, [])) for name in _LISTS}
        given |= {
            "family": _family(values["family"]),
            "base_model": _model_name(values["base_model"]),
            "prediction": _prediction(values["prediction"]),
            "settings": _settings(values["settings"]),
            "losses": tuple(_loss("losses", value) for value in _list(values["losses"])),
            "gap": None if values["gap"] is None else _loss("gap", values["gap"]),
            "versions": _versions(values["versions"]),
            "round_trip": _decibels(values.get("round_trip")),
            "frame": _frame(values.get("frame"), (values["width"], values["height"])),
        }
        return cls(**given)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise AdapterFileError(f"its header's {name} is {quoted(value)}, which is not text.")
    try:
        text(value, name)
    except PromptError as error:
        raise AdapterFileError(f"its header's {name} is no text to be used: {error}") from error
    return value


def _family(value: Any) -> str:
    if not isinstance(value, str) or value not in FAMILIES:
        raise AdapterFileError(
            f"its header's family is {quoted(value)}, this version of imagic_lora knows "
            f"{', '.join(FAMILIES)}; install a newer one if it is newer than these."
        )
    return value


def _model_name(value: Any) -> str:
    """Return the name of a base model, which can be no path to anywhere else."""
    name = _text("base_model", value)
    parts = name.split("/")
    long = any(len(part) > _LONGEST_NAME for part in parts)
    if len(parts) > 2 or long or "\\" in name or not {"", ".", ".."}.isdisjoint(parts):
        raise AdapterFileError(
            f"its header's base_model is {quoted(name)}, allowed is a Hub name (owner/name), or "
            "the bare name of a folder or file."
        )
    return name


def _prediction(value: Any) -> str:
    if value not in OBJECTIVES:
        raise AdapterFileError(
            f"its header's prediction is {quoted(value)}, this version of imagic_lora knows "
            f"{', '.join(OBJECTIVES)}."
        )
    return str(value)


def _side(name: str, value: Any) -> int:
    """Return a side of the canvas, in pixels."""
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 8192:
        raise AdapterFileError(f"its header's {name} is {quoted(value)}, allowed is 1 to 8192.")
    return value


def _loss(name: str, value: Any) -> float:
    """Return a loss, or a share of one."""
    if not is_number(value) or value < 0:
        raise AdapterFileError(
            f"its header's {name} has {quoted(value)}, allowed is a number from 0."
        )
    return value


def _decibels(value: Any) -> float | None:
    if value is not None and not (is_number(value) and 0 <= value <= 99):
        raise AdapterFileError(
            f"its header's round_trip is {quoted(value)}, allowed is a number from 0 to 99."
        )
    return value


def _frame(value: Any, size: tuple[int, int]) -> Frame | None:
    """Return the frame of a canvas of a size."""
    try:
        frame = None if value is None else Frame.from_json(value)
    except ImageError as error:
        raise AdapterFileError(f"its header's frame is none: {error}") from error
    if frame is not None and frame.size != size:
        raise AdapterFileError(f"its header's frame is for {frame.size}, its canvas is {size}.")
    return frame


def _settings(value: Any) -> FitSettings | None:
    """Return fit settings, without fields that this version does not know."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise AdapterFileError("its header's settings are not an object.")
    known = {item.name for item in fields(FitSettings)}
    try:
        return FitSettings(**{name: value[name] for name in known & value.keys()})
    except (SettingsError, TypeError) as error:
        raise AdapterFileError(f"its header's settings are not valid: {error}") from error


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise AdapterFileError("its header's losses are not a list.")
    return value


def _texts(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise AdapterFileError(f"its header's {name} is not a list of texts.")
    return tuple(value)


def _versions(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(word, str) for word in value.values()):
        raise AdapterFileError("its header's versions are not an object of texts.")
    return value
