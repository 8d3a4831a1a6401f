"""The page as people use it: a real Chromium, the real server, the bundled model."""

import os
import shutil
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image

from imagic_lora import Adapter
from imagic_lora.images.png import read_record
from tests.support.browser import (
    DESKTOP,
    PHONE,
    browser,
    chromium,
    fill,
    opened,
    says,
    served,
    turn_to,
)

pytestmark = [
    pytest.mark.early,
    pytest.mark.skipif(
        chromium() is None and "IMAGIC_LORA_NEEDS_BROWSER" not in os.environ,
        reason="no Chromium is installed",
    ),
]
WIDTHS = (390, 768, 1280, 1920)
"""Widths of a window, in pixels: a phone, a tablet, a laptop, a large screen."""

LONG = 100_000
"""Steps of a fit that only a stop ends."""


@dataclass(frozen=True)
class Served:
    """A page that is served, a browser, and the moment in which the command was given."""

    browser: Any
    address: str
    folder: Path
    began: float


@pytest.fixture(scope="module")
def served_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Give a page that was started as people start it."""
    folder, began = tmp_path_factory.mktemp("page"), time.monotonic()
    with served(folder) as address, browser() as started:
        yield Served(started, address, folder, began)


@pytest.fixture
def page(served_page: Served) -> Iterator[Any]:
    """Give the page in a browser session of its own; nothing may be asked of another server."""
    asked: list[str] = []
    page = opened(served_page.browser, served_page.address, asked=asked.append)
    yield page
    page.context.close()
    own = urlsplit(served_page.address).netloc
    assert set() == {url for url in asked if url.startswith("http")} - {
        url for url in asked if urlsplit(url).netloc == own
    }


def choose(page: Any, name: str, part: str) -> None:
    """Choose an adapter by its name."""
    page.locator(f"#{part} button", has_text=name).first.click()


def set_steps(page: Any, steps: int, label: str = "Settings of the fit") -> None:
    """Open the settings of a fit, and set how many steps it takes."""
    page.get_by_role("button", name=label).click()
    fill(page, "fit-steps", str(steps))


def download(page: Any, name: str, folder: Path) -> Path:
    """Download what a button gives."""
    with page.expect_download() as caught:
        page.locator(f"#{name}").click()
    path = folder / str(caught.value.suggested_filename)
    caught.value.save_as(path)
    return path


def slow_line(page: Any) -> None:
    """Let everything that goes to the server and back take half a second from now on."""
    line = {"offline": False, "latency": 500, "downloadThroughput": -1, "uploadThroughput": -1}
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", line)


def quick_fit(page: Any, target: str) -> None:
    """Fit the example in a few steps."""
    set_steps(page, 4)
    fill(page, "fit-target", target)
    page.locator("#fit-target textarea").press("Enter")
    says(page, "fit-status", "Fitted in 4 steps")


def fit_and_watch(page: Any, folder: Path) -> None:
    """Fit the example as it stands there, watch it, and take the adapter home."""
    set_steps(page, 16)
    page.locator("#fit-run").click()
    says(page, "fit-status", "left")
    page.locator("#fit-preview img").wait_for()
    page.locator("#fit-status polyline").wait_for()
    says(page, "fit-status", "Fitted in")
    adapter = Adapter.load(download(page, "fit-download", folder))
    assert ("a girl", "a girl with a flower") == (adapter.record.source, adapter.record.target)


def begin_a_sweep(page: Any) -> None:
    """Go on to edits: five strengths of two seeds, in few steps."""
    page.locator("#fit-edit").click()
    page.get_by_role("button", name="More settings").first.click()
    fill(page, "edit-steps", "3")
    fill(page, "edit-seeds", "0, 1")
    page.locator("#edit-run").click()
    page.locator("#edit-grid img").first.wait_for()


def take_pictures_home(page: Any, folder: Path) -> Path:
    """Choose one picture, download it, all of them and the grid; return the grid."""
    page.locator("#edit-grid button").nth(3).click()
    says(page, "edit-about", "1.2")
    record = read_record(download(page, "edit-one", folder)) or {}
    assert (1.2, 3) == (record["alpha"], record["settings"]["steps"])
    with zipfile.ZipFile(download(page, "edit-all", folder)) as archive:
        assert 11 == len(archive.namelist())
    return download(page, "edit-sheet", folder)


def every_picture_is_in_reach(page: Any) -> None:
    """At every width of a window, pictures are as wide as a thumb, and none is cut off for good."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": DESKTOP["height"]})
        for grid in ("#edit-grid", "#edit-adapters"):
            narrowest, hidden = page.locator(f"{grid} .grid-container").evaluate(_LAID_OUT)
            assert narrowest >= 80, (grid, width)
            assert [] == hidden, (grid, width)
        assert width >= page.evaluate("document.documentElement.scrollWidth"), width
    page.set_viewport_size(DESKTOP)


def sweep_widely(page: Any) -> None:
    """Make more pictures of a row than any window has room for."""
    fill(page, "edit-steps", "1")
    fill(page, "edit-seeds", "0")
    fill(page, "edit-count", "12")
    page.locator("#edit-run").click()
    page.locator("#edit-grid img").nth(11).wait_for()
    says(page, "edit-status", "Done.")


def compare(page: Any) -> None:
    """Hold another edit of the same fit against img2img."""
    turn_to(page, "Compare")
    page.get_by_role("button", name="More settings").last.click()
    fill(page, "compare-steps", "3")
    fill(page, "compare-target", "a girl wearing glasses")
    page.locator("#compare-target textarea").press("Enter")
    says(page, "compare-status", "Done.")
    for name in ("compare-input", "compare-edit", "compare-img2img"):
        page.locator(f"#{name} img").wait_for()


def test_the_whole_story(served_page: Served, page: Any, tmp_path: Path, capsys: Any) -> None:
    """From the first look to pictures restored: fit, watch, sweep, compare, keep, come back."""
    fit_and_watch(page, tmp_path)
    begin_a_sweep(page)
    with capsys.disabled():
        seconds = time.monotonic() - served_page.began
        sys.stdout.write(f"\nfirst edit {seconds:.0f} s after `imagic-lora ui`\n")
    says(page, "edit-status", "Done.")
    assert 10 == page.locator("#edit-grid img").count()
    every_picture_is_in_reach(page)
    sheet = take_pictures_home(page, tmp_path)
    sweep_widely(page)
    every_picture_is_in_reach(page)
    compare(page)

    turn_to(page, "Fit")
    fill(page, "fit-steps", "4")
    fill(page, "fit-target", "a girl at night")
    page.locator("#fit-target textarea").press("Enter")
    says(page, "fit-status", "Fitted in 4 steps")
    turn_to(page, "Edit")
    says(page, "edit-chosen", "a-girl-at-night")
    choose(page, "a-girl-with-a-flower", "edit-adapters")
    says(page, "edit-chosen", "a-girl-with-a-flower")

    page.reload(wait_until="commit")
    turn_to(page, "Edit")
    says(page, "edit-chosen", "a-girl-with-a-flower")
    page.locator("#edit-grid img").nth(9).wait_for()

    choose(page, "a-girl-at-night", "edit-adapters")
    says(page, "edit-chosen", "a-girl-at-night")
    fill(page, "edit-seeds", "7")
    page.locator("#edit-drop input[type=file]").set_input_files(sheet)
    says(page, "edit-status", "taken up")
    says(page, "edit-chosen", "a-girl-with-a-flower")
    assert "0, 1" == page.locator("#edit-seeds textarea, #edit-seeds input").first.input_value()


def test_a_fit_is_stopped_in_the_middle(served_page: Served, page: Any) -> None:
    """Stop keeps what was learned so far, and it can be edited."""
    set_steps(page, LONG)
    fill(page, "fit-stop_at", "0")
    fill(page, "fit-target", "a girl in the rain")
    page.locator("#fit-run").click()
    page.locator("#fit-status polyline").wait_for()  # two steps are done
    page.locator("#fit-stop").click()
    says(page, "fit-status", "What was learned is kept")

    adapter = Adapter.load(
        served_page.folder / "imagic-adapters" / "a-girl-in-the-rain.safetensors"
    )
    assert 2 <= len(adapter.record.losses) < LONG


def test_a_second_visitor_waits_for_their_turn(served_page: Served, page: Any) -> None:
    """While one fits, the other sees their place in the line; then it begins by itself."""
    other = opened(served_page.browser, served_page.address)
    set_steps(page, LONG)
    fill(page, "fit-stop_at", "0")
    page.locator("#fit-run").click()
    says(page, "fit-status", f"of {LONG}")
    set_steps(other, 1)
    other.locator("#fit-run").click()
    says(other, "fit-status", "In line: 1 job is before yours")
    page.locator("#fit-stop").click()
    says(other, "fit-status", "Fitted in 1 step")
    other.context.close()


def test_a_wrong_file_is_answered_in_words(page: Any, tmp_path: Path) -> None:
    """What is no picture and what is no adapter are refused with what to do, as plain text."""
    wrong = tmp_path / "<img src=x onerror=alert(1)>.png"
    wrong.write_bytes(b"<script>alert(1)</script>")
    page.get_by_label("Remove Image").or_(page.get_by_label("Clear")).first.click()
    page.locator("#fit-picture input[type=file]").set_input_files(wrong)
    says(page, "fit-status", "not an image")
    turn_to(page, "Library")
    page.locator("#library-bring input[type=file], input[type=file]").last.set_input_files(wrong)
    says(page, "library-status", "cannot be used")
    assert 0 == page.locator("img[src=x]").count()


def test_a_click_counts_while_another_is_answered(
    served_page: Served, page: Any, tmp_path: Path
) -> None:
    """Over a slow line, what was done last is what holds."""
    names = ("a-girl-in-the-snow", "a-girl-in-the-sun")
    quick_fit(page, "a girl in the snow")
    adapters = served_page.folder / "imagic-adapters"
    shutil.copy(adapters / f"{names[0]}.safetensors", adapters / f"{names[1]}.safetensors")
    turn_to(page, "Edit")
    page.locator("#edit-adapters button", has_text=names[1]).first.wait_for()
    slow_line(page)
    for name in reversed(names):
        choose(page, name, "edit-adapters")
    says(page, "edit-chosen", names[0])

    wrong = tmp_path / "wrong.png"
    wrong.write_bytes(b"no picture")
    turn_to(page, "Fit")
    page.get_by_label("Remove Image").or_(page.get_by_label("Clear")).first.click()
    page.locator("#fit-picture input[type=file]").set_input_files(wrong)
    says(page, "fit-status", "not an image")


def test_an_adapter_is_renamed_and_deleted_once_it_is_confirmed(
    served_page: Served, page: Any
) -> None:
    """Deleting asks first, and a no leaves everything as it was."""
    quick_fit(page, "a girl to be forgotten")
    file = served_page.folder / "imagic-adapters" / "gone soon.safetensors"
    turn_to(page, "Library")
    says(page, "library-about", "a girl to be forgotten")
    fill(page, "library-name", "gone soon")
    page.locator("#library-rename").click()
    says(page, "library-status", "is now called gone soon")
    page.locator("#library-delete").click()
    page.locator("#library-spare").click()
    assert file.exists()
    page.locator("#library-delete").click()
    page.locator("#library-sure").click()
    says(page, "library-status", "is deleted")
    assert not file.exists()


def test_a_phone_shows_everything(served_page: Served) -> None:
    """Nothing is wider than a phone, in any part of the page."""
    phone = opened(served_page.browser, served_page.address, PHONE, color_scheme="dark")
    for part in ("Fit", "Edit", "Compare", "Library"):
        turn_to(phone, part)
        assert PHONE["width"] >= phone.evaluate("document.documentElement.scrollWidth")
    phone.context.close()


_LAID_OUT = """(grid) => {
    const widths = [...grid.querySelectorAll("img")].map((each) => each.clientWidth);
    const hidden = [];
    for (let box = grid; box !== document.body; box = box.parentElement)
        if (["hidden", "clip"].includes(getComputedStyle(box).overflowX)
                && box.scrollWidth > box.clientWidth + 1)
            hidden.push(box.className);
    return [Math.min(...widths), hidden];
}"""
"""Returns the width of the narrowest picture, and what around it hides some without a way there."""


def test_words_stand_out(served_page: Served, page: Any) -> None:
    """Light or dark, words stand out from what is behind them as the WCAG asks (4.5 to 1)."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        path = served_page.folder / f"{scheme}.png"
        page.screenshot(path=path, animations="disabled")
        with Image.open(path) as image:
            corner = image.convert("L").tobytes()[5 * image.width + 5]
        assert (corner < 60) == (scheme == "dark")
        for place in _PLACES:
            ink, paper = page.locator(place).first.evaluate(_COLOURS)
            lighter, darker = sorted((_luminance(ink), _luminance(paper)), reverse=True)
            assert 4.5 <= (lighter + 0.05) / (darker + 0.05), (scheme, place, ink, paper)


_PLACES = (
    ".note",
    ".chip",
    "#fit-target textarea",
    "#fit-run",
    "#fit-stop",
    "[data-testid='block-info']",
    "#fit-source [class*='info']",
    "button[role=tab][aria-selected=true]",
    "button[role=tab][aria-selected=false]",
)
"""Where words stand: in fields, on buttons, in hints, on tabs."""

_COLOURS = """(place) => {
    let behind = place;
    while (behind.parentElement && /, 0\\)$|transparent/.test(getComputedStyle(behind).backgroundColor))
        behind = behind.parentElement;
    return [getComputedStyle(place).color, getComputedStyle(behind).backgroundColor];
}"""
"""Returns the colour of an element's words and of what is behind them."""


def _luminance(colour: str) -> float:
    """Return the relative luminance of a CSS colour; a clear one counts as black."""
    numbers = [float(word) for word in colour[colour.index("(") + 1 : -1].split(",")]
    if len(numbers) == 4 and numbers[3] == 0:
        return 0.0
    linear = [
        value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4
        for value in (number / 255 for number in numbers[:3])
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
