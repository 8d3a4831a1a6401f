"""Whether an adapter belongs to a model; asked before it is used there."""

from typing import Protocol

from imagic_lora.adapters.adapter import Adapter
from imagic_lora.errors import AdapterMismatchError, quoted, warn


class Fitted(Protocol):
    """The facts of a model that an adapter must agree with; a model's traits are such."""

    @property
    def family(self) -> str:
        """Kind of model."""

    @property
    def name(self) -> str:
        """Where it was loaded from."""

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """What adapters of this very checkpoint may carry."""

    @property
    def token_width(self) -> int:
        """Width of a token embedding."""

    @property
    def token_count(self) -> int:
        """Token embeddings of a prompt or a chunk, or the most of them where prompts are ragged."""

    @property
    def chunks(self) -> int:
        """Most chunks that a prompt is read in."""

    @property
    def ragged(self) -> bool:
        """Whether prompts differ in length."""

    @property
    def differences(self) -> bool:
        """Whether adapters hold the tokens that a fit moved, and no others."""

    @property
    def pooled_width(self) -> int | None:
        """Width of the pooled embedding, or None where there is none."""

    @property
    def left_out(self) -> tuple[str, ...]:
        """Networks that models of its kind have and it is made without."""

    @property
    def latent_channels(self) -> int:
        """Channels of the latents."""

    @property
    def latent_factor(self) -> int:
        """Pixels for one latent, along a side."""


def check_fits(adapter: Adapter, model: Fitted, place: str = "") -> None:
    """Raise for an adapter of another kind of model; warn for one of another checkpoint.

    Args:
        adapter: The adapter that is to be used.
        model: The model that it is to be used with.
        place: Which of several adapters it is, for the message, e.g. " of row 2".

    Raises:
        AdapterMismatchError: When it was fitted on another family, or anything in it has another
            shape than this model's.
    """
    record = adapter.record
    for what, found, expected in _facts(adapter, model):
        if found != expected:
            width = adapter.conditioning.tokens.shape[-1]
            raise AdapterMismatchError(
                f"The adapter{place} was fitted on {quoted(record.base_model)} (family {record.family}, "
                f"embedding width {width}), but this model is {model.name!r} (family "
                f"{model.family}, embedding width {model.token_width}): it has {what} {found}, and "
                f"the model {expected}; load a base model like the adapter's."
            )
    if record.fingerprint not in model.fingerprints:
        warn(
            f"The adapter{place} was fitted on {quoted(record.base_model)}, this is another checkpoint, "
            f"{model.name!r}: the picture may differ from the input even at alpha 0."
        )


def _facts(adapter: Adapter, model: Fitted) -> list[tuple[str, object, object]]:
    """Return what is compared, in words: what the adapter has, and what the model asks for."""
    record, (_, count, width) = adapter.record, adapter.conditioning.tokens.shape
    pooled = adapter.conditioning.pooled
    _, channels, rows, columns = adapter.latents.shape
    factor = model.latent_factor
    return [
        ("family", record.family, model.family),
        ("embedding width", width, model.token_width),
        ("networks", _networks(record.left_out), _networks(model.left_out)),
        ("tokens", count, _allowed_tokens(count, model)),
        ("pooled width", None if pooled is None else pooled.shape[-1], model.pooled_width),
        ("latent channels", channels, model.latent_channels),
        ("latents", (columns, rows), (record.width // factor, record.height // factor)),
    ]


def _networks(left_out: tuple[str, ...]) -> str:
    """Return which networks of its kind a model has, in words."""
    return f"all but {quoted(', '.join(left_out))}" if left_out else "all"


def _allowed_tokens(count: int, model: Fitted) -> int:
    """Return the number of tokens nearest to one that a model's prompts may have."""
    most = model.token_count
    if model.ragged or model.differences:
        return min(count, most)
    return most * min(max(1, round(count / most)), model.chunks)
