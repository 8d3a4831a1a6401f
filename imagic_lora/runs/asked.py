"""What a row asks of its picture, and what a picture says of itself: done is where both agree."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from imagic_lora.editing.picture import Edit
from imagic_lora.errors import ImageError, quoted
from imagic_lora.images.png import read_record
from imagic_lora.runs.events import Outcome
from imagic_lora.runs.jobs import Jobs, refuse
from imagic_lora.runs.rows import Row
from imagic_lora.settings import EditSettings, FitSettings, is_number

_RUN = "run"
"""Where a picture's record holds what an edit alone does not know of itself."""

_DEFAULTS: Mapping[str, Any] = {"fit": asdict(FitSettings()), "edit": asdict(EditSettings())}
"""What a setting was in versions that did not have it yet."""


@dataclass(frozen=True)
class Made:
    """What a picture of a run says of itself.

    Attributes:
        values: What was asked for, in the form of `asked`.
        record: What made it.
    """

    values: Mapping[str, Any]
    record: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> "Made | None":
        """Return what a picture says, or None where it is none of a run.

        Args:
            path: The picture.
        """
        try:
            record = read_record(path) or {}
            asked_for = dict(record[_RUN])
            asked_for |= {"target": record["target"], "mask": record["mask_sha256"]}
            # In the record's own settings stands what was found, where nothing was asked for.
            asked_for.setdefault("edit", record["settings"])
        except (ImageError, KeyError, TypeError, ValueError):
            return None
        return cls(asked_for, record)

    @property
    def fingerprint(self) -> str:
        """Tells apart the checkpoints that it can have been made by."""
        return str(self.record.get("fingerprint"))

    def outcome(self, row: Row) -> Outcome:
        """Return how the row of the picture ended, as far as the picture knows.

        Args:
            row: The row.
        """
        alpha = self.record.get("alpha")
        return Outcome(
            id=row.id,
            status="ok",
            tries=0,
            adapter=row.adapter,
            adapter_sha256=str(self.record.get("adapter_sha256")),
            picture=row.picture,
            alpha=alpha if is_number(alpha) else None,
            notes=row.notes,
        )

    def differences(self, row: Row, model: str) -> str:
        """Return in words what a row asks and the picture is not; "" where it is done.

        Args:
            row: The row.
            model: Name of the model, as it was asked for.
        """
        there = dict(_flat(_DEFAULTS)) | dict(_flat(self.values))
        return ", ".join(
            f"{name} {quoted(there.get(name))} where the row asks {quoted(wanted)}"
            for name, wanted in _flat(asked(row, model))
            if there.get(name) != wanted
        )


def standing(jobs: Jobs, out: Path, model: str, *, force: bool) -> dict[str, Made | None]:
    """Return which rows are done, by id: what their pictures say, or None.

    Args:
        jobs: What is to be done.
        out: The folder of the run.
        model: Name of the model, as it was asked for.
        force: Whether a picture that was made for something else is simply not done.

    Raises:
        JobsError: When there are such pictures, and they may not be made anew.
    """
    found: dict[str, Made | None] = {}
    problems = []
    for row in jobs.rows:
        found[row.id], difference = _made(row, out / row.picture, model)
        if difference and not force:
            text = f"{row.picture} {difference}; make it anew with --force (force=True)."
            problems.append((row.line, text))
    refuse(jobs.name, problems)
    return found


def _made(row: Row, path: Path, model: str) -> tuple[Made | None, str]:
    """Return what the picture of a row says if the row is done by it, else why it is not."""
    if not path.exists():
        return None, ""
    made = Made.read(path)
    if made is None:
        return None, "was made by no run"
    difference = made.differences(row, model)
    return (None, f"was made with {difference}") if difference else (made, "")


def asked(row: Row, model: str) -> dict[str, Any]:
    """Return what a row asks of its picture, as plain values.

    Args:
        row: The row.
        model: Name of the model, as it was asked for.
    """
    return {
        "model": model,
        "image": row.image.sha256,
        "source": row.source,
        "alpha": row.alpha,
        "fit": asdict(row.fit),
        "target": row.target,
        "mask": row.mask and row.mask.sha256,
        "edit": asdict(row.edit),
    }


def record(edit: Edit, row: Row, model: str) -> dict[str, Any]:
    """Return the record of a picture, with what the row asked and the edit does not say itself.

    Args:
        edit: The picture.
        row: The row that it was made for.
        model: Name of the model, as it was asked for.
    """
    known = ("model", "image", "source", "alpha", "fit", "edit")
    wanted = asked(row, model)
    return {**edit.record(), _RUN: {name: wanted[name] for name in known}}


def _flat(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the values with the names of their groups before them, e.g. `fit.rank`."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", each) for inner, each in value.items())
        else:
            yield name, value
