"""The texts of an .xlsx file's first sheet, which is a zip of XML: enough for a list of prompts."""

import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

from imagic_lora.errors import InputError

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_SHEET, _STRINGS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"


def rows_of(path: Path) -> list[list[str]]:
    """Return the rows that have any text, each with its cells from the first column on.

    Args:
        path: The file.

    Raises:
        InputError: When it is no such file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            shared = _strings(archive)
            sheet = _parsed(archive, _SHEET)
    except (zipfile.BadZipFile, KeyError, ET.ParseError) as error:
        raise InputError(f"'{path}' is no spreadsheet ({error}); fetch it again.") from error
    rows = (_cells(row, shared) for row in sheet.iter(f"{_MAIN}row"))
    return [row for row in rows if any(row)]


def _parsed(archive: zipfile.ZipFile, name: str) -> ET.Element:
    return ET.fromstring(archive.read(name))  # noqa: S314 (expat bounds what entities grow to)


def _strings(archive: zipfile.ZipFile) -> list[str]:
    """Return the texts that cells refer to by number."""
    if _STRINGS not in archive.namelist():
        return []
    return [_text(one) for one in _parsed(archive, _STRINGS).iter(f"{_MAIN}si")]


def _text(element: ET.Element) -> str:
    return "".join(part.text or "" for part in element.iter(f"{_MAIN}t"))


def _cells(row: ET.Element, shared: list[str]) -> list[str]:
    """Return a row's texts; cells that the file leaves out are empty."""
    cells: dict[int, str] = {}
    for cell in row.iter(f"{_MAIN}c"):
        value = cell.find(f"{_MAIN}v")
        if cell.get("t") == "s" and value is not None:
            found = shared[int(value.text or 0)]
        else:
            found = _text(cell) or (value.text or "" if value is not None else "")
        cells[_column(cell.get("r", "A1"))] = found.strip()
    return [cells.get(number, "") for number in range(max(cells, default=-1) + 1)]


def _column(reference: str) -> int:
    """Return the number of a column, from 0, by a reference such as 'AB12'."""
    letters = re.sub(r"[^A-Z]", "", reference)
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1
