"""One row of a job file: what it asks for, and everything that can be wrong with it.

Its pictures are read whole, so that a damaged one is found before anything is loaded.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from imagic_lora.errors import InputError, SettingsError, near_match, quoted
from imagic_lora.images.reading import open_image, open_mask
from imagic_lora.runs.places import Input, is_address
from imagic_lora.runs.table import GROUPS, Line
from imagic_lora.settings import ALPHA, EditSettings, FitSettings, Option, options
from imagic_lora.texts import prompt, text

Settings = TypeVar("Settings", FitSettings, EditSettings)

COLUMNS = ("id", "image", "target", "source", "alpha", "mask", *GROUPS)
"""What a row is made of; other columns are kept as notes."""

_NEEDED = ("image", "target")
_ID = re.compile(r"\w([\w.-]{0,58}\w)?")
_CLOSE = 0.8
"""How like one of ours a column must be to be taken for a mistyped one, from 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One edit that was asked for.

    Attributes:
        line: Line of the file that it stands in.
        id: Name of its picture, without the ending.
        image: The input.
        target: Prompt of the edited image.
        alpha: Prompt strength; "auto" to find it.
        fit: Settings of the fit.
        edit: Settings of the picture.
        source: Caption of the input; None to find it.
        mask: Where the edit may change the input; None for everywhere.
        notes: The other columns.
    """

    line: int
    id: str
    image: Input
    target: str
    alpha: float | Literal["auto"]
    fit: FitSettings
    edit: EditSettings
    source: str | None = None
    mask: Input | None = None
    notes: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def picture(self) -> str:
        """Name of its picture, in the folder of the run."""
        return f"pictures/{self.id}.png"

    @property
    def fit_key(self) -> str:
        """Hash of what the fit depends on; rows of one hash share their fit."""
        values = [self.image.sha256, self.source, asdict(self.fit)]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def adapter(self) -> str:
        """Name of the adapter of its fit, in the folder of the run."""
        return f"adapters/{self.fit_key}.safetensors"


class RowReader:
    """Reads rows, and gathers what is wrong with them.

    Args:
        root: The folder that paths of pictures start from.

    Attributes:
        problems: The lines, and what is wrong with each.
    """

    def __init__(self, root: Path) -> None:
        self.problems: list[tuple[int, str]] = []
        self._root = root.absolute()  # workers may start elsewhere
        self._image = cache(lambda place: Input.of(place, open_image))
        self._mask = cache(lambda place: Input.of(place, open_mask))
        self._strays: set[str] = set()
        self._readers: Mapping[str, Callable[[Any], object]] = {
            "id": _id,
            "image": lambda value: self._image(self._place(value, "image")),
            "target": prompt,
            "source": lambda value: prompt(value, "source", required=False),
            "alpha": _alpha,
            "mask": lambda value: self._mask(self._place(value, "mask")),
            "fit": lambda value: settings_of(FitSettings, "fit", value),
            "edit": lambda value: settings_of(EditSettings, "edit", value),
        }

    def row(self, count: int, line: Line) -> Row | None:
        """Return a row, or None where something is wrong with it.

        Args:
            count: Which row it is, from 1.
            line: Its values.
        """
        if line.problem:
            self.problems.append((line.number, line.problem))
            return None
        problems = [f"it has no {name!r}." for name in _NEEDED if name not in line.values]
        given = {"id": f"{count:05d}", "alpha": "auto", "fit": {}, "edit": {}, **line.values}
        found: dict[str, Any] = {}
        for name in [each for each in self._readers if each in given]:
            with _noting(problems):
                found[name] = self._readers[name](given.pop(name))
        problems += self._stray(given)
        self.problems += ((line.number, problem) for problem in problems)
        return None if problems else Row(line=line.number, notes=given, **found)

    def _place(self, value: Any, name: str) -> str:
        """Return the path or the address of a picture."""
        if not (found := text(value, name)):
            raise InputError(f"its {name} is empty; give the path of a file.")
        return found if is_address(found) else str(self._root / found)

    def _stray(self, notes: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is wrong with columns that look like mistakes, each of them once."""
        for name in notes.keys() - self._strays:
            self._strays.add(name)
            groups = [f"'{group}.{name}'" for group, known in _SETTINGS.items() if name in known]
            meant = get_close_matches(name, COLUMNS, n=1, cutoff=_CLOSE)
            if groups or meant:
                what = " or ".join(groups) or f"'{meant[0]}'"
                yield f"its column {quoted(name)} is none of ours; write {what}, or rename a note."


def check_columns(name: str, lines: Sequence[Line], columns: Mapping[str, str]) -> None:
    """Raise where what every row needs, or what was said of a column, is in no row at all.

    Args:
        name: Name of the file.
        lines: Its rows.
        columns: What a column is called in the file, by its name here.

    Raises:
        InputError: When a column is missing.
    """
    there = {column for line in lines for column in line.values}
    if not there:
        return
    for our in dict.fromkeys([*columns, *_NEEDED]):
        if our.partition(".")[0] not in there:
            theirs = columns.get(our, our)
            raise InputError(
                f"no row of {quoted(name)} has a column {quoted(theirs)}, there are "
                f"{', '.join(map(quoted, sorted(there)))}; say which it is with "
                f"--columns {our}=NAME.{near_match(theirs, there)}"
            )


def repeated(rows: Sequence[Row]) -> Iterator[tuple[int, str]]:
    """Yield the lines of rows whose picture would have the name of another's.

    Args:
        rows: The rows.
    """
    lines: dict[str, int] = {}
    for row in rows:
        first = lines.setdefault(row.id.casefold(), row.line)
        if first != row.line:
            yield row.line, f"its id {quoted(row.id)} is that of line {first}; give another."


@contextmanager
def _noting(problems: list[str]) -> Iterator[None]:
    """Note what is wrong with an input in a block, and go on after it."""
    try:
        yield
    except InputError as error:
        problems.append(str(error))


def _id(value: Any) -> str:
    """Return a name for a picture, which is safe as that of a file."""
    found = str(value) if isinstance(value, (str, int)) else ""
    if not _ID.fullmatch(found):
        raise InputError(
            f"its id was {quoted(value)}, allowed are 1 to 60 letters, digits and '_', and '-' or "
            "'.' between them."
        )
    return found


def _alpha(value: Any) -> float | Literal["auto"]:
    """Return a prompt strength."""
    return "auto" if value == "auto" else float(_checked("alpha", ALPHA, value, "'auto' or "))


def settings_of(kind: type[Settings], group: str, values: Any) -> Settings:
    """Return the settings in plain values.

    Args:
        kind: Their class.
        group: What they are called together: "fit" or "edit".
        values: Values by name; a number may be written as a text.

    Raises:
        SettingsError: When they are none; it names all that is wrong with them.
    """
    if not isinstance(values, dict):
        raise SettingsError(f"its '{group}' was {quoted(values)}, allowed is an object.")
    known = dict(options(kind))
    found: dict[str, Any] = {}
    problems: list[str] = []
    for name, value in values.items():
        with _noting(problems):
            found[name] = _checked(f"{group}.{name}", _known(known, group, name), value)
    if problems:
        raise SettingsError(" ".join(problems))
    return kind(**found)


def _known(known: Mapping[str, Option], group: str, name: str) -> Option:
    """Return what is known of a setting."""
    if name not in known:
        raise SettingsError(f"there is no setting '{group}.{name}'.{near_match(name, known)}")
    return known[name]


def _checked(name: str, described: Option, value: Any, words: str = "") -> Any:
    """Return an allowed value; a number may be written as a text, as it is in CSV."""
    if isinstance(value, str) and described.kind is not str:
        try:
            value = described.kind(value)
        except ValueError as error:
            allowed = words + described.range_text()
            raise SettingsError(f"{name} was {quoted(value)}, allowed is {allowed}.") from error
    described.check(name, value)
    return value


_SETTINGS = {"fit": dict(options(FitSettings)), "edit": dict(options(EditSettings))}
