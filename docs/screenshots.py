"""Take pictures of every state of the web page, with the demo model, for the docs and for a look.

    python -m docs.screenshots             into docs/images
    python -m docs.screenshots FOLDER      into another folder

Needs Chromium; takes about a minute on an idle machine. The best of them stand in the docs.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.browser import DESKTOP, PHONE, browser, fill, opened, says, served, turn_to

ROOT = Path(__file__).resolve().parents[1]
SECOND_TARGET = "a girl wearing glasses"


def take(page: Any, path: Path) -> None:
    """Store what is seen of a page."""
    page.mouse.move(0, 0)
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=path, animations="disabled")


def walk(chromium: Any, address: str, out: Path) -> None:
    """Go through the page as a visitor does, and store each state.

    Args:
        chromium: A browser.
        address: Where the page is.
        out: Where the pictures go.
    """
    page = opened(chromium, address)
    take(page, out / "ui-open.png")
    _fit(page, out)
    _edit(page, out)
    turn_to(page, "Compare")
    page.locator("#compare-run").click()
    says(page, "compare-status", "Done.")
    take(page, out / "ui-compare.png")
    turn_to(page, "Library")
    page.locator("#library-delete").click()
    page.locator("#library-sure").wait_for()
    take(page, out / "ui-library.png")
    for name, size, scheme in (("dark", DESKTOP, "dark"), ("phone", PHONE, "light")):
        other = opened(chromium, address, size, color_scheme=scheme)
        if name == "phone":
            take(other, out / "ui-phone-fit.png")
        _sweep(other)
        take(other, out / f"ui-{name}.png")


def _fit(page: Any, out: Path) -> None:
    """Fit the example, seen while it runs and once it is done; another visitor waits."""
    page.locator("#fit-run").click()
    page.locator("#fit-preview img").wait_for()
    page.locator("#fit-status polyline").wait_for()
    take(page, out / "ui-fit.png")
    says(page, "fit-status", "Fitted in")
    take(page, out / "ui-fitted.png")
    page.locator("#fit-edit").click()


def _edit(page: Any, out: Path) -> None:
    """Sweep over strengths, seen while it runs and once it is done."""
    page.locator("#edit-run").click()
    says(page, "edit-status", "2 of 5 done")
    take(page, out / "ui-editing.png")
    says(page, "edit-status", "Done.")
    page.locator("#edit-slider img").first.wait_for()
    take(page, out / "ui-edit.png")


def _sweep(page: Any) -> None:
    """Edit towards another prompt, without another fit."""
    turn_to(page, "Edit")
    fill(page, "edit-target", SECOND_TARGET)
    page.locator("#edit-target textarea").press("Enter")
    says(page, "edit-status", "Done.")
    page.locator("#edit-slider img").first.wait_for()


def main(arguments: Sequence[str]) -> None:
    """Start the page and a browser, and store what is seen."""
    out = Path(arguments[0]) if arguments else ROOT / "docs" / "images"
    out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder)) as address,
        browser() as chromium,
    ):
        walk(chromium, address, out)


if __name__ == "__main__":
    main(sys.argv[1:])
