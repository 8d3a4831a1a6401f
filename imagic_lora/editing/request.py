"""What one row of a batch of edits is asked to be."""

from dataclasses import dataclass

from imagic_lora.adapters.adapter import Adapter
from imagic_lora.errors import PromptError
from imagic_lora.settings import ALPHA, EditSettings, options
from imagic_lora.texts import prompt


@dataclass(frozen=True, kw_only=True)
class EditRequest:
    """One edit of a batch.

    Attributes:
        adapter: The fit of the image.
        alpha: Prompt strength: 0 reconstructs the input, 1 is the target prompt; any real number.
        target: Prompt to edit towards; where none is given, the one that was given to the fit.
        seed: Seed of the noise; default: the one of the batch's settings.

    Raises:
        SettingsError: When alpha is not a finite number, or the seed is out of its range.
        PromptError: When the target is no text, or there is none at all.
    """

    adapter: Adapter
    alpha: float = 1.0
    target: str = ""
    seed: int | None = None

    def __post_init__(self) -> None:
        ALPHA.check("alpha", self.alpha)
        if self.seed is not None:
            dict(options(EditSettings))["seed"].check("seed", self.seed)
        target = prompt(self.target, required=False) or self.adapter.record.target
        object.__setattr__(self, "target", target)
        if not target:
            raise PromptError(
                "The adapter was fitted without a target, so the edit needs one; none was given."
            )
