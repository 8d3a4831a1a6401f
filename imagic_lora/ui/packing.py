"""One run of edits as one file, and back; a file is believed no more than what is uploaded.

It is a zip archive of pictures, which say themselves what made them. Nothing but pictures leaves it.
"""

import io
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

from imagic_lora.editing.picture import Edit
from imagic_lora.editing.recipe import Recipe, read_recipe
from imagic_lora.errors import ImageError
from imagic_lora.images.png import read_record, to_thumbnail
from imagic_lora.images.reading import open_image, opened
from imagic_lora.settings import EditSettings
from imagic_lora.ui.jobs.edit import Sweep, SweepState
from imagic_lora.ui.jobs.pictures import SavedEdit

SHEET, INPUT, SMALL = "sheet.png", "input.png", "small.jpg"

_MOST_MEMBERS = 100
_MEMBER = re.compile(r"\w[\w.+-]{0,99}\.(png|jpg)")


def pack(run: SweepState) -> bytes:
    """Return a run whose pictures are written as the content of a file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in (*(each.path for each in run.made), run.files[0], run.before):
            if path is not None:
                archive.write(path, path.name)
        small = run.made[run.shown].picture.image
        archive.writestr(SMALL, to_thumbnail(small))
    return buffer.getvalue()


def unpack(path: Path, folder: Path, only: Sequence[str] = ()) -> list[Path]:
    """Write what a file holds into a folder, and return where.

    Args:
        path: The file.
        folder: Where to.
        only: Names of what is wanted; default: all.

    Raises:
        ImageError: When it holds anything but pictures, or more than its own size.
        OSError: When it cannot be read, or nothing written.
        BadZipFile: When it is damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        plain = all(
            _MEMBER.fullmatch(each.filename) and each.compress_type == zipfile.ZIP_STORED
            for each in members
        )
        large = sum(each.file_size for each in members) > path.stat().st_size
        if not plain or large or len(members) > _MOST_MEMBERS:
            raise ImageError(f"'{path.name}' is no run: it holds more than plain pictures.")
        wanted = [each for each in members if not only or each.filename in only]
        return [Path(archive.extract(each, folder)) for each in wanted]


def recipe_in(sheet: Path) -> Recipe:
    """Return what made the pictures of a sheet.

    Raises:
        ImageError: When it is no sheet of edits.
    """
    recipe = read_recipe(sheet)
    if not isinstance(recipe.settings, EditSettings):
        raise ImageError(f"'{sheet.name}' is no sheet of edits.")
    return recipe


def reopened(recipe: Recipe, pictures: Sequence[Path], archive: Path) -> SweepState:
    """Return a run as it was when it was over.

    Args:
        recipe: What made its sheet.
        pictures: All that was in its file.
        archive: That file.

    Raises:
        ImageError: When a picture cannot be used, or there is none.
    """
    named = {path.name: path for path in pictures}
    sheet, before = named.pop(SHEET, None), named.pop(INPUT, None)
    named.pop(SMALL, None)
    made = tuple(map(_saved, named.values()))
    if not made or sheet is None or not isinstance(recipe.settings, EditSettings):
        raise ImageError(f"'{archive.name}' is no run: it lacks its pictures.")
    sweep = Sweep(
        target=recipe.target,
        alphas=tuple(sorted(recipe.alphas)),
        seeds=recipe.seeds,
        settings=recipe.settings,
        mask=recipe.mask,
    )
    return SweepState(sweep, made=sweep.ordered(made), before=before, files=(sheet, archive))


def redraw(path: Path, most_side: int) -> None:
    """Draw a small picture anew, so that nothing but a picture is shown.

    Raises:
        ImageError: When it is none, or larger than small.
    """
    with opened(path) as image:
        small = max(image.size) <= most_side
    if not small:
        raise ImageError(f"'{path.name}' is no small picture.")
    open_image(path).save(path, quality=90)


def _saved(path: Path) -> SavedEdit:
    """Return an edit from its file."""
    recipe, record = recipe_in(path), read_record(path) or {}
    edit = Edit(
        image=open_image(path),
        target=recipe.target,
        settings=recipe.settings,
        base_model=str(record.get("base_model", "")),
        fingerprint=str(record.get("fingerprint", "")),
        alpha=recipe.alphas[0],
        adapter_sha256=recipe.adapter_sha256,
    )
    return SavedEdit.of(path, edit)
