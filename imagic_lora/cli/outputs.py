"""Where results go: names, checks before the work, and the sheet of all pictures."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagic_lora.cli.terminal import Terminal
from imagic_lora.editing.picture import Picture
from imagic_lora.editing.sheets import Labelled, save_sheet
from imagic_lora.errors import OutputError
from imagic_lora.files import check_writable
from imagic_lora.progress import OnProgress, Progress

SHEET = "sheet.png"
"""Name of the sheet in a folder of pictures."""

_SUFFIX = ".safetensors"
_OTHER_FORMATS = (".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")


def check_adapter(path: Path, *, force: bool) -> None:
    """Raise an OutputError unless an adapter, or another safetensors file, can be written here."""
    if path.suffix != _SUFFIX:
        raise OutputError(
            f"'{path}' does not end in {_SUFFIX}, which is how such files are known; "
            f"choose a name like '{path.stem or 'adapter'}{_SUFFIX}'."
        )
    check_writable(path, force=force)


@dataclass(frozen=True)
class Spot:
    """One picture of a grid, before it is made.

    Attributes:
        name: Its file name in a folder.
        row: Title of its row of the sheet.
        label: What tells it apart from the others of its row.
    """

    name: str
    row: str
    label: str


@dataclass(frozen=True)
class Gallery:
    """Where the pictures of one command go, each place checked before the heavy work.

    Attributes:
        spots: The pictures, row by row.
        out: A .png for the only picture, or a folder.
        force: Whether files that exist already may be replaced.

    Raises:
        OutputError: When a file exists already, cannot be written, or cannot hold the pictures.
    """

    spots: Sequence[Spot]
    out: Path
    force: bool

    def __post_init__(self) -> None:
        suffix = self.out.suffix.lower()
        if suffix in _OTHER_FORMATS:
            raise OutputError(
                f"'{self.out}' ends in {suffix}; pictures are written as PNG: give a name that "
                "ends in .png, or a folder."
            )
        if self._is_file and len(self.spots) > 1:
            raise OutputError(
                f"{len(self.spots)} pictures were asked for, but '{self.out}' is one file; "
                "give a folder."
            )
        names = [spot.name for spot in self.spots] + ([SHEET] if self._has_sheet else [])
        for name in names:
            check_writable(self._path(name), force=self.force)

    @property
    def _is_file(self) -> bool:
        """Whether the output is one file, not a folder."""
        return self.out.suffix.lower() == ".png"

    @property
    def _has_sheet(self) -> bool:
        """Whether there is more than one picture to put on a sheet."""
        return len(self.spots) > 1

    def _path(self, name: str) -> Path:
        """Return where the picture of that name goes."""
        return self.out if self._is_file else self.out / name

    def fill(self, make: Callable[[OnProgress], Iterable[Picture]], terminal: Terminal) -> None:
        """Save one picture after another as they are made, and the sheet once all are there.

        Args:
            make: Yields a picture for each spot, in their order; given where to report progress.
            terminal: Where to show progress and say what was made.
        """
        made: list[Labelled] = []

        def show(progress: Progress) -> None:
            count = f"[{len(made) + 1}/{len(self.spots)}] " if self._has_sheet else ""
            spot = self.spots[len(made)]
            terminal.progress(f"{count}{spot.label}, {spot.row}")(progress)

        for spot, picture in zip(self.spots, make(show), strict=True):
            picture.save(self._path(spot.name), force=self.force)
            made.append(Labelled(picture, spot.label, spot.row))
        if not self._has_sheet:
            terminal.tell(f"Wrote {self._path(self.spots[0].name)}.")
            return
        save_sheet(self._path(SHEET), made, force=self.force)
        terminal.tell(f"Wrote {len(made)} pictures to {self.out}, side by side in {SHEET}.")
