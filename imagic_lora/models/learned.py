"""What adapters hold of an embedding, all of it or what a fit moved of its caption's, and captions.

Embeddings of hundreds of wide tokens would be larger than the LoRA beside them, and a fit moves few
of those.
"""

from collections.abc import Sequence

from imagic_lora.conditioning import Conditioning, concatenate
from imagic_lora.errors import AdapterMismatchError, heard_by
from imagic_lora.models.base import LatentModel


def kept(model: LatentModel, fitted: Conditioning, anchor: Conditioning) -> Conditioning:
    """Return what an adapter holds of a conditioning.

    Args:
        model: The base model.
        fitted: What was learned, batch 1.
        anchor: The caption's, where it was learned from, batch 1.
    """
    return fitted.difference(anchor) if model.traits.differences else fitted


def restored(
    model: LatentModel, held: Sequence[Conditioning], captions: Sequence[str]
) -> Conditioning:
    """Return the conditionings of adapters, one row for each: the inverse of `kept`.

    Args:
        model: A model like the one that they were fitted on.
        held: What each holds.
        captions: The caption that each was fitted from.

    Raises:
        AdapterMismatchError: When a model reads a caption as another number of tokens than the
            model of the fit did.
    """
    if not model.traits.differences:
        return concatenate(held)
    rows = zip(captioned(model, captions).rows(), held, captions, strict=True)
    return concatenate([_moved(*row) for row in rows])


def captioned(model: LatentModel, captions: Sequence[str]) -> Conditioning:
    """Return the conditionings of the captions of fits, one row for each.

    Args:
        model: The base model.
        captions: The captions; of one that is too long, its fit has said so.
    """
    with heard_by(lambda _: None):
        return encoded(model, captions)


def encoded(model: LatentModel, prompts: Sequence[str]) -> Conditioning:
    """Return the conditionings of prompts, one row for each; the same one is encoded once.

    Args:
        model: The base model.
        prompts: The prompts.
    """
    once = list(dict.fromkeys(prompts))
    return model.encode_prompt(*once).select([once.index(prompt) for prompt in prompts])


def _moved(start: Conditioning, difference: Conditioning, caption: str) -> Conditioning:
    """Return one row with what was learned added to it."""
    moving = start.counted() if start.own is None else start.own
    if (count := int(moving.sum())) != (found := difference.tokens.shape[1]):
        raise AdapterMismatchError(
            f"The adapter moves {found} tokens of its caption {caption!r}, which this model reads as "
            f"{count}; use the tokenizer of the model that it was fitted on."
        )
    return start.plus(difference)
