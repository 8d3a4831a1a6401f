"""The loop that has rivals paint what is left: pictures say themselves what they were made of.

An item that a rival cannot paint is an outcome with its reason, and stops no other.
"""

import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from imagic_lora.bench.inputs import Input, Inputs
from imagic_lora.bench.items import Item
from imagic_lora.bench.rivals.base import Lent, Paint, Rival
from imagic_lora.errors import ImageError, ImagicError, InputError, OutputError, heard_by
from imagic_lora.images.png import read_record, save_png
from imagic_lora.images.reading import open_image
from imagic_lora.memory import device_name, peak_bytes
from imagic_lora.runs.events import HERE, Landed, Outcome
from imagic_lora.runs.folder import Folder

_ASKED = "rival"
"""Where a picture's record holds what it was made of."""


@dataclass(frozen=True)
class Work:
    """What one rival is to paint.

    Attributes:
        rival: The rival.
        item: The item.
        number: Number of the item in its set.
    """

    rival: Rival
    item: Item
    number: int

    @property
    def name(self) -> str:
        """Names it, and its picture without the ending."""
        return f"{self.rival.row.replace(' ', '-')}/{self.number:05d}"

    @property
    def picture(self) -> str:
        """Name of its picture, in the folder of the rivals."""
        return f"{self.name}.png"

    def asked(self, model: str, given: Input) -> dict[str, Any]:
        """Return what its picture depends on, as plain values.

        Args:
            model: Name of the model.
            given: The picture of the item.
        """
        return {
            "method": repr(self.rival),
            "model": model,
            "image": given.sha256,
            "size": list(given.size),
            "target": self.item.target,
            "instruction": self.item.instruction,
        }


@dataclass(frozen=True)
class Painting:
    """All that the rivals are to paint.

    Attributes:
        works: Rival by rival.
        inputs: The pictures of the items.
        folder: Where the pictures go.
        lent: The model.
        model: Its name.
    """

    works: Sequence[Work]
    inputs: Inputs
    folder: Folder
    lent: Lent
    model: str

    def done(self, *, force: bool = False) -> list[Work]:
        """Return what is painted already.

        Args:
            force: Whether a picture that was made of something else is simply not done.

        Raises:
            InputError: When there are such pictures, and they may not be made anew.
        """
        there = {work: self._there(work) for work in self.works}
        right = {w: made == self._asked(w) for w, made in there.items() if made is not None}
        other = [work for work, same in right.items() if not same]
        if other and not force:
            raise InputError(
                f"{len(other)} pictures in {self.folder.path} were made of something else than is "
                f"asked now, such as {other[0].picture}; choose another folder, or make them anew "
                "with --force."
            )
        return [work for work, same in right.items() if same]

    def go(self, tell: Callable[[Landed], None], *, force: bool = False) -> int:
        """Paint what is left, and return how many failed.

        Args:
            tell: Takes how each ended.
            force: Whether to make anew what was made of something else.
        """
        done = {work.name for work in self.done(force=force)}
        left = [work for work in self.works if work.name not in done]
        self.folder.list(self.folder.outcomes().values())
        began, failed = time.monotonic(), 0
        for count, outcome in enumerate(self._outcomes(left), start=1):
            self.folder.add(outcome)
            failed += outcome.status != "ok"
            seconds = (time.monotonic() - began) / count * (len(left) - count)
            ended, rows = len(done) + count, len(self.works)
            tell(
                Landed(outcome=outcome, ended=ended, rows=rows, failed=failed, seconds_left=seconds)
            )
        return failed

    def _outcomes(self, left: Sequence[Work]) -> Iterator[Outcome]:
        """Paint rival by rival, so that one pipeline is in memory."""
        for rival in dict.fromkeys(work.rival for work in left):
            mine = [work for work in left if work.rival == rival]
            try:
                paint = rival.open(self.lent)
            except Exception as error:  # noqa: BLE001  the others go on
                yield from (_failed(work, error) for work in mine)
                continue
            for work in mine:
                yield self._outcome(work, paint)

    def _outcome(self, work: Work, paint: Paint) -> Outcome:
        """Paint one, and return how that ended."""
        warnings: list[str] = []
        began, passes = time.monotonic(), self.lent.passes
        passes.take()
        try:
            with heard_by(warnings.append):
                self._save(work, paint(open_image(self.inputs.of(work.item).path), work.item))
        except OutputError:
            raise
        except Exception as error:  # noqa: BLE001  the others go on
            return _failed(work, error)
        device = self.lent.editor.plan.device
        return Outcome(
            id=work.name,
            status="ok",
            picture=work.picture,
            seconds=round(time.monotonic() - began, 3),
            forward=passes.take().forward,
            peak_bytes=peak_bytes(device),
            device=device_name(device),
            worker=HERE,
            warnings=tuple(warnings),
            notes=notes(work),
        )

    def _save(self, work: Work, picture: Any) -> None:
        """Write a picture with what it was made of."""
        record = {"kind": "Rival", "version": version("imagic-lora"), _ASKED: self._asked(work)}
        save_png(picture, self.folder.path / work.picture, record, force=True)

    def _asked(self, work: Work) -> dict[str, Any]:
        return work.asked(self.model, self.inputs.of(work.item))

    def _there(self, work: Work) -> Mapping[str, Any] | None:
        """Return what the picture of a work says of itself; None where there is none."""
        path = self.folder.path / work.picture
        try:
            return (read_record(path) or {}).get(_ASKED, {}) if path.exists() else None
        except ImageError:
            return None


def notes(work: Work) -> dict[str, str]:
    """Return what a manifest says of a picture besides how it ended.

    Args:
        work: What was painted.
    """
    return {"row": work.rival.row, "item": work.item.name}


def _failed(work: Work, error: Exception) -> Outcome:
    """Return the outcome of what failed; what is no error of ours keeps its traceback."""
    known = isinstance(error, ImagicError)
    said = str(error) if known else "".join(traceback.format_exception(error))
    return Outcome(id=work.name, status="error", message=said, worker=HERE, notes=notes(work))
