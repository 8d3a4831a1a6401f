"""ImgEdit-Bench's own questions: three marks of 1 to 5, by a rubric for each kind of edit.

The rubrics are in a file of their authors, which comes with the pictures; none is printed here.
Source: PKU-YuanGroup/ImgEdit, Benchmark/Basic/basic_bench.py and step1_get_avgscore.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from imagic_lora.bench.items import read_json
from imagic_lora.bench.judging.asking import Content, scored
from imagic_lora.bench.metrics.base import Pair, Scores
from imagic_lora.errors import InputError

_PLACE = "<edit_prompt>"
_MARKS, _LEAST, _MOST = 3, 1, 5


@dataclass(frozen=True)
class Rubrics:
    """Asks for three marks, whose mean is an edit's.

    Attributes:
        of_kind: The rubric of each kind of edit, with a place for the instruction.
    """

    of_kind: tuple[tuple[str, str], ...]
    names: ClassVar[tuple[str, ...]] = ("rubric",)

    @classmethod
    def read(cls, path: Path, kinds: Sequence[str]) -> "Rubrics":
        """Return the questions in a file of the authors.

        Args:
            path: The file: 'judge_prompt.json' beside the pictures.
            kinds: The kinds of edits that are asked about.

        Raises:
            InputError: When it is no such file.
        """
        found = read_json(path, "it is 'judge_prompt.json' beside the pictures of ImgEdit-Bench")
        rubrics = found if isinstance(found, Mapping) else {}
        if missing := [kind for kind in kinds if _PLACE not in str(rubrics.get(kind))]:
            raise InputError(
                f"'{path}' has no rubric with {_PLACE} for {', '.join(missing)}; it is "
                "'judge_prompt.json' beside the pictures of ImgEdit-Bench."
            )
        return cls(tuple((kind, str(rubrics[kind])) for kind in kinds))

    @property
    def wording(self) -> str:
        """All rubrics."""
        return "\n".join(rubric for _, rubric in self.of_kind)

    def content(self, pair: Pair, name: str) -> Content:  # noqa: ARG002  there is one question
        """Return the rubric with the instruction, then the input and the edited picture."""
        rubric = dict(self.of_kind)[pair.item.kind]
        return [rubric.replace(_PLACE, pair.item.instruction), pair.before, pair.after]

    def scores(self, answers: Sequence[str]) -> Scores:
        """Return the mean of the three marks, each at the end of a line after ": "."""
        parts = [line.strip().split(": ") for line in answers[0].splitlines()]
        marks = [int(part[1]) for part in parts if len(part) == 2 and part[1].isdecimal()]
        whole = len(marks) == _MARKS and all(_LEAST <= mark <= _MOST for mark in marks)
        return scored({"imgedit": round(sum(marks) / _MARKS, 2) if whole else None})
