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

from tests.support.browser import PHONE, browser, fill, opened, says, served, turn_to

ROOT = Path(__file__).resolve().parents[1]
SECOND_TARGET = "a girl wearing glasses"
LAPTOP = {"width": 1280, "height": 860}
LARGE = {"width": 1920, "height": 1080}


def take(page: Any, path: Path) -> None:
    """Store what is seen of a page."""
    page.mouse.move(0, 0)
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(300)
    page.screenshot(path=path, animations="disabled")


def walk(session: Any, address: str, out: Path) -> None:
    """Go through the page as a visitor does, and store each state.

    Args:
        session: A session of a browser.
        address: Where the page is.
        out: Where the pictures go.
    """
    page = opened(session, address, LAPTOP)
    take(page, out / "ui-open.png")
    page.locator("#edit-run").click()
    page.locator("#edit-status polyline").wait_for()
    page.wait_for_timeout(2500)
    take(page, out / "ui-fit.png")
    page.locator(".thumb").nth(1).wait_for()
    take(page, out / "ui-editing.png")
    says(page, "edit-status", "Done.")
    page.locator("#jobs .job").wait_for(state="detached")
    take(page, out / "ui-edit.png")
    page.locator("[data-act=full]").click()
    take(page, out / "ui-full.png")
    page.keyboard.press("Escape")
    page.locator("[data-act=beside]").click()
    page.locator(".thumb").first.click()
    take(page, out / "ui-beside.png")
    page.keyboard.press("Escape")
    _paint(page)
    take(page, out / "ui-mask.png")
    turn_to(page, "Compare")
    page.locator("#compare-run").click()
    says(page, "compare-status", "Done.")
    take(page, out / "ui-compare.png")
    turn_to(page, "History")
    page.locator("#history-stage .thumb").first.wait_for()
    take(page, out / "ui-history.png")
    turn_to(page, "Library")
    page.locator("#library-delete").click()
    page.locator("#library-sure").wait_for()
    take(page, out / "ui-library.png")
    looks = (("dark", LARGE, "dark"), ("phone", PHONE, "light"), ("large", LARGE, "light"))
    for name, size, scheme in looks:
        other = opened(session, address, size)
        other.emulate_media(color_scheme=scheme)
        fill(other, "target", SECOND_TARGET)
        other.locator("#edit-run").click()
        says(other, "edit-status", "Done.")
        take(other, out / f"ui-{name}.png")


def _paint(page: Any) -> None:
    """Paint a mask over the head of the picture."""
    page.locator(".label-wrap:visible", has_text="Only a part").click()
    page.locator("#mask-paint").click()
    box = page.locator(".paint-place canvas").bounding_box()
    page.locator(".paint-bar [name=size]").fill("40")
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.25 * box["height"], steps=5)
    page.mouse.up()
    page.get_by_role("button", name="Use this mask").click()
    page.locator("#stage .veil").wait_for()


def main(arguments: Sequence[str]) -> None:
    """Start the page and a browser, and store what is seen."""
    out = Path(arguments[0]) if arguments else ROOT / "docs" / "images"
    out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder)) as address,
        browser() as session,
    ):
        walk(session, address, out)


if __name__ == "__main__":
    main(sys.argv[1:])
