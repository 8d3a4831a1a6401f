"""GEdit-Bench's own questions, VIEScore: what was edited and how it looks, in marks of 0 to 10.

The questions are in a Python file of their authors, of which four texts are read and nothing is run;
none is printed here.
Source: Ku et al. 2023, arXiv 2312.14867; stepfun-ai/Step1X-Edit, GEdit-Bench/viescore.
"""

import ast
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from imagic_lora.bench.judging.asking import Content, scored
from imagic_lora.bench.metrics.base import Pair, Scores
from imagic_lora.errors import InputError

_PLACE = "<instruction>"
_TEXTS = (
    "_context_no_delimit",
    "_prompts_0shot_two_image_edit_rule",
    "_prompts_0shot_tie_rule_SC",
    "_prompts_0shot_rule_PQ",
)
_WHERE = "it is 'vie_prompts.py' in the folder 'GEdit-Bench' of github.com/stepfun-ai/Step1X-Edit"
_BEST = 10


@dataclass(frozen=True)
class VieScore:
    """Asks for semantic consistency (SC) and perceptual quality (PQ), two marks each.

    Attributes:
        consistency: The question about input and edited picture, with a place for the instruction.
        quality: The question about the edited picture.
    """

    consistency: str
    quality: str
    names: ClassVar[tuple[str, ...]] = ("SC", "PQ")

    @classmethod
    def read(cls, path: Path) -> "VieScore":
        """Return the questions in a file of the authors, which is not run.

        Args:
            path: The file: 'vie_prompts.py'.

        Raises:
            InputError: When it is no such file.
        """
        found = _texts(path)
        if missing := [name for name in _TEXTS if name not in found]:
            raise InputError(f"'{path}' has no text {missing[0]}; {_WHERE}.")
        context, rule, consistency, quality = (found[name] for name in _TEXTS)
        return cls(f"{context}\n{rule}\n{consistency}", f"{context}\n{quality}")

    @property
    def wording(self) -> str:
        """Both questions."""
        return f"{self.consistency}\n{self.quality}"

    def content(self, pair: Pair, name: str) -> Content:
        """Return the pictures that a question is about, and the question."""
        if name == "PQ":
            return [pair.after, self.quality]
        return [pair.before, pair.after, self.consistency.replace(_PLACE, pair.item.instruction)]

    def scores(self, answers: Sequence[str]) -> Scores:
        """Return SC and PQ, the lesser of two marks each, and the root of their product."""
        found = [_least(answer) for answer in answers]
        known = [mark for mark in found if mark is not None]
        overall = math.sqrt(math.prod(known)) if len(known) == len(found) else None
        return scored({"vie_sc": found[0], "vie_pq": found[1], "vie_overall": overall})


def _texts(path: Path) -> dict[str, str]:
    """Return the texts that a Python file gives names to."""
    try:
        body = ast.parse(path.read_text("utf-8")).body
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError(f"'{path}' cannot be read as Python ({error}); {_WHERE}.") from error
    named = [one for one in body if isinstance(one, ast.Assign)]
    return {
        target.id: one.value.value
        for one in named
        for target in one.targets
        if isinstance(target, ast.Name)
        and isinstance(one.value, ast.Constant)
        and isinstance(one.value.value, str)
    }


def _least(answer: str) -> float | None:
    """Return the lesser of the two marks of an answer; None where it has none."""
    text = answer[answer.find("{") : answer.rfind("}") + 1]
    try:
        marks: Any = json.loads(text).get("score")
    except (ValueError, AttributeError):
        return None
    right = isinstance(marks, list) and len(marks) == len(VieScore.names)
    return float(min(marks)) if right and all(map(_is_mark, marks)) else None


def _is_mark(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= _BEST
