"""The page as people use it: a real Chromium, the real server, the bundled model."""

import os
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import torch
from PIL import Image, ImageChops
from safetensors.torch import save_file

from imagic_lora import Adapter, demo
from imagic_lora.images.png import read_record
from imagic_lora.images.reading import open_image
from tests.support.browser import (
    CACHE,
    DESKTOP,
    PHONE,
    browser,
    chromium,
    faults,
    fill,
    opened,
    says,
    served,
    turn_to,
)
from tests.support.tiny import Kind

pytestmark = [
    pytest.mark.early,
    pytest.mark.skipif(
        chromium() is None and "IMAGIC_LORA_NEEDS_BROWSER" not in os.environ,
        reason="no Chromium is installed",
    ),
]
WIDTHS = (390, 768, 1280, 1920)
"""Widths of a window, in pixels: a phone, a tablet, a laptop, a large screen."""

CHECKPOINT = "style.safetensors"
"""A checkpoint that was fetched before, alone, of a width that Stable Diffusion 1 has."""

LONG = 100_000
"""Steps of a fit that only a stop ends."""


@dataclass(frozen=True)
class Served:
    """A page that is served, a browser's session, and the moment in which the command was given."""

    session: Any
    address: str
    folder: Path
    began: float


@pytest.fixture(scope="module")
def served_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Give a page that was started as people start it, where a checkpoint was fetched before."""
    folder = tmp_path_factory.mktemp("page")
    snapshot = folder / CACHE / "models--someone--style" / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    weights = {f"model.diffusion_model.input_blocks.1.1.{_PROMPTS}": torch.zeros(2, 768)}
    save_file(weights, snapshot / CHECKPOINT)
    save_file({"lora.up.weight": torch.zeros(2, 2)}, snapshot / "lora.safetensors")
    began = time.monotonic()
    with served(folder) as address, browser() as started:
        yield Served(started, address, folder, began)


@pytest.fixture
def page(served_page: Served) -> Iterator[Any]:
    """Give the page as somebody new sees it; nothing may be asked of another server."""
    asked: list[str] = []
    page = opened(served_page.session, served_page.address, asked=asked.append)
    yield page
    page.close()
    own = urlsplit(served_page.address).netloc
    assert set() == {url for url in asked if url.startswith("http")} - {
        url for url in asked if urlsplit(url).netloc == own
    }


def unfold(page: Any, name: str) -> None:
    """Unfold some of the settings."""
    page.locator(".label-wrap:visible", has_text=name).click()
    page.wait_for_timeout(300)


def quickly(page: Any, steps: int = 4) -> None:
    """Let a fit take few steps, and an edit one."""
    unfold(page, "How the picture is learned")
    fill(page, "fit-steps", str(steps))
    unfold(page, "More settings of the edit")
    fill(page, "edit-steps", "1")


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


def press(page: Any, target: str = "") -> None:
    """Say what the picture should show, and press the button."""
    if target:
        fill(page, "target", target)
    page.locator("#edit-run").click()


def learn(page: Any, target: str, steps: int) -> None:
    """Learn and edit the example in so many steps, which no other test takes: a fit serves twice."""
    quickly(page, steps)
    press(page, target)
    says(page, "edit-status", f"Fitted in {steps} steps")


def take_pictures_home(page: Any, folder: Path) -> Path:
    """Choose one picture, download it, all of them and the sheet; return the sheet."""
    thumb = page.locator(".thumb").nth(3)
    alpha = float(thumb.get_attribute("data-alpha"))
    thumb.click()
    with page.expect_download() as caught:
        page.locator(".one").click()
    caught.value.save_as(folder / "one.png")
    record = read_record(folder / "one.png") or {}
    assert (alpha, 3) == (record["alpha"], record["settings"]["steps"])
    with zipfile.ZipFile(download(page, "edit-all", folder)) as archive:
        assert 11 == len(archive.namelist())
    return download(page, "edit-sheet", folder)


def every_picture_is_in_reach(page: Any) -> None:
    """At every width of a window, pictures are as wide as a thumb, and none is cut off for good."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": DESKTOP["height"]})
        narrowest, hidden = page.locator("#stage .sheet").evaluate(_LAID_OUT)
        assert narrowest >= 80, width
        assert [] == hidden, width
        assert width >= page.evaluate("document.documentElement.scrollWidth"), width
        assert page.locator("#edit-run").evaluate(_IN_VIEW), width
    page.set_viewport_size(DESKTOP)


def sweep_widely(page: Any) -> None:
    """Make more pictures of a row than any window has room for."""
    fill(page, "edit-steps", "1")
    fill(page, "edit-count", "12")
    fill(page, "edit-seeds", "0")
    page.locator("#edit-run").click()
    page.locator(".thumb").nth(11).wait_for()
    says(page, "edit-status", "Done.")


def compare(page: Any) -> None:
    """Hold another edit of the same fit against img2img."""
    turn_to(page, "Compare")
    unfold(page, "More settings")
    fill(page, "compare-steps", "3")
    fill(page, "compare-target", "a girl wearing glasses")
    page.locator("#compare-target textarea").press("Enter")
    says(page, "compare-status", "Done.")
    assert 3 == page.locator("#compare-stage img").count()


def test_the_whole_story(served_page: Served, page: Any, tmp_path: Path, capsys: Any) -> None:
    """From the first look to pictures restored: one press, look, other words, compare, come back."""
    unfold(page, "More settings of the edit")
    fill(page, "edit-steps", "3")
    unfold(page, "Strength and seeds")
    fill(page, "edit-seeds", "0, 1")
    page.locator("#edit-run").click()
    says(page, "edit-status", "1 of 2: learning the picture")
    page.locator("#edit-status polyline").wait_for()
    assert "%" in page.title()
    page.locator(".thumb").first.wait_for()
    with capsys.disabled():
        seconds = time.monotonic() - served_page.began
        sys.stdout.write(f"\nfirst edit {seconds:.0f} s after `imagic-lora ui`\n")
    says(page, "edit-status", "Done.")
    assert 10 == page.locator(".thumb img").count()
    assert Adapter.load(download(page, "edit-adapter", tmp_path)).record.losses
    every_picture_is_in_reach(page)
    sheet = take_pictures_home(page, tmp_path)
    sweep_widely(page)
    says(page, "edit-status", "learned already")
    every_picture_is_in_reach(page)
    compare(page)

    page.reload(wait_until="commit")
    page.locator(".thumb").nth(11).wait_for()
    unfold(page, "Strength and seeds")
    assert "12" == page.locator("#edit-count input").input_value()
    page.locator("input[type=file]").first.set_input_files(sheet)
    says(page, "edit-status", "taken up")
    says(page, "stage", "a-girl-with-a-flower: learned already")
    assert "0, 1" == page.locator("#edit-seeds textarea, #edit-seeds input").first.input_value()


def side_by_side(page: Any) -> None:
    """Go through the strengths that were made, put two side by side, make more between them."""
    title = page.locator("#stage .about b")
    page.locator(".through input").focus()
    page.keyboard.press("End")
    assert page.locator(".thumb").last.get_attribute("data-title") == title.inner_text()
    page.locator("[data-act=beside]").focus()
    page.keyboard.press("Enter")
    page.locator(".thumb[aria-pressed=true]").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    other = page.locator(".thumb.other").get_attribute("data-src")
    assert other == page.locator(".second img").get_attribute("src")
    assert page.locator(".thumb").last.get_attribute("data-title") == title.inner_text()
    page.locator("[data-act=finer]").click()
    page.locator(".thumb").nth(7).wait_for()  # three more than five
    says(page, "edit-status", "Done.")


def tab_to(page: Any, selector: str) -> None:
    """Go to a part of the page by the tabulator, as whoever has no mouse does."""
    for _ in range(80):
        if page.evaluate("(there) => document.activeElement.matches(there)", selector):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"{selector} is out of reach")


def test_the_page_is_used_with_the_keys_alone(page: Any, tmp_path: Path) -> None:
    """From open to download; through strengths, in the full window too; the divider, and a second."""
    quickly(page)
    page.evaluate("document.activeElement.blur()")
    tab_to(page, "#target textarea")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("a girl with keys")
    page.keyboard.press("Enter")
    says(page, "edit-status", "Done.")
    tab_to(page, ".thumb")
    page.keyboard.press("Enter")
    tab_to(page, ".one")
    with page.expect_download() as caught:
        page.keyboard.press("Enter")
    caught.value.save_as(tmp_path / "one.png")
    assert "a girl with keys" == (read_record(tmp_path / "one.png") or {})["target"]
    clipped = "(input) => getComputedStyle(input).clipPath"
    assert "100%" in page.locator("#stage .before").evaluate(clipped)  # the edit is seen, not it
    title = page.locator("#stage .about b")
    page.locator("[data-act=full]").focus()
    page.keyboard.press("Enter")
    page.locator(".stage.full").wait_for()
    before = title.inner_text()
    page.keyboard.press("ArrowRight")
    assert before != title.inner_text()
    page.keyboard.press("Escape")
    assert 0 == page.locator(".stage.full").count()
    side_by_side(page)
    cut = page.locator(".cut")
    cut.focus()
    page.keyboard.press("End")
    assert "100" == cut.input_value()
    assert "100%" in (page.locator(".pair").get_attribute("style") or "")
    page.locator("[data-act=further]").click()
    says(page, "stage", "edited.png")


def test_a_painted_mask_keeps_every_pixel_outside_it(page: Any, tmp_path: Path) -> None:
    """On a phone, from open to download: what is painted is shown, and nothing else changes."""
    page.set_viewport_size(PHONE)
    quickly(page)
    unfold(page, "Only a part of the picture")
    page.locator("#mask-paint").click()
    box = page.locator(".paint-place canvas").bounding_box()
    right, middle = box["x"] + 0.8 * box["width"], box["y"] + box["height"] / 2
    page.mouse.move(right, middle)
    page.mouse.down()
    page.mouse.move(right, middle + 40, steps=4)
    page.mouse.up()
    page.get_by_role("button", name="Use this mask").click()
    says(page, "edit-masked", "A mask is on")
    page.locator("#stage .veil").wait_for()
    press(page, "a girl at night")
    says(page, "edit-status", "Done.")
    page.locator(".thumb").last.click()
    with page.expect_download() as caught:
        page.locator(".one").click()
    caught.value.save_as(tmp_path / "one.png")

    edited, given = (open_image(path) for path in (tmp_path / "one.png", demo.PICTURE))
    difference = ImageChops.difference(edited, given)
    assert difference.crop((0, 0, 32, 64)).getbbox() is None
    assert difference.getbbox() is not None


def drag(page: Any, place: str, across: int, down: int) -> None:
    """Drag a part of the frame by so many pixels."""
    box = page.locator(f"#stage {place}").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + across, y + down, steps=4)
    page.mouse.up()


def test_a_picture_may_be_dropped_anywhere(page: Any) -> None:
    """What is dropped on any part of the page is what is edited; the example's words go.

    Its frame is narrowed by the corner and dragged to its place, at most to the edge.
    """
    page.evaluate(_DROP)
    says(page, "stage", "dropped.png")
    assert "" == page.locator("#target textarea").input_value()
    unfold(page, "Crop")
    drag(page, ".grip", -100, -75)
    zoom = page.locator("#crop-zoom input")
    page.wait_for_function("(zoom) => zoom.value > 1.1", arg=zoom.element_handle())
    drag(page, ".box", 40, -30)
    page.wait_for_function("document.querySelector('#crop-down input').value == 0")
    assert 0.1 < float(page.locator("#crop-across input").first.input_value()) < 1


def test_a_run_is_stopped_in_the_middle(served_page: Served, page: Any) -> None:
    """Stop keeps what was learned so far, and it can be edited."""
    quickly(page, LONG)
    fill(page, "fit-outweigh", "0")
    press(page, "a girl in the rain")
    page.locator("#edit-status polyline").wait_for()  # two steps are done
    page.locator("#edit-stop").click()
    says(page, "edit-status", "What was learned is kept")

    adapter = Adapter.load(
        served_page.folder / "imagic-adapters" / "a-girl-in-the-rain.safetensors"
    )
    assert 2 <= len(adapter.record.losses) < LONG


def test_a_second_visitor_waits_for_their_turn(served_page: Served, page: Any) -> None:
    """While one fits, the other sees their place in the line; then it begins by itself.

    Whoever stops the first does so from another part of the page, and is told of the end as asked.
    """
    other = opened(served_page.session.browser.new_context(), served_page.address)
    quickly(page, LONG - 1)  # what another test stopped is a fit of as many steps
    fill(page, "fit-outweigh", "0")
    press(page, "a girl who is first")
    says(page, "edit-status", f"of {LONG - 1}")
    quickly(other, 1)
    press(other, "a girl who waits")
    says(other, "edit-status", "In line: 1 job is before yours")
    page.evaluate(_AWAY)
    turn_to(page, "Library")
    page.locator("[data-act=notify]").click()
    page.locator("#jobs [data-cancel]").click()
    says(other, "edit-status", "Fitted in 1 step")
    page.wait_for_function("notices.length")
    assert "What was learned is kept" in page.evaluate("notices[0]")
    other.context.close()


def test_a_wrong_file_is_answered_in_words(page: Any, tmp_path: Path) -> None:
    """What is no picture and what is no adapter are refused with what to do, as plain text."""
    wrong = tmp_path / "<img src=x onerror=alert(1)>.png"
    wrong.write_bytes(b"<script>alert(1)</script>")
    page.locator("input[type=file]").first.set_input_files(wrong)
    says(page, "edit-status", "not an image")
    turn_to(page, "Library")
    page.locator("input[type=file]").last.set_input_files(wrong)
    says(page, "library-status", "cannot be used")
    assert 0 == page.locator("img[src=x]").count()


def test_a_click_counts_while_another_is_answered(served_page: Served, page: Any) -> None:
    """Over a slow line, what was done last is what holds."""
    names = ("a-girl-in-the-snow", "a-girl-in-the-sun")
    learn(page, "a girl in the snow", 5)
    adapters = served_page.folder / "imagic-adapters"
    other = Adapter.load(adapters / f"{names[0]}.safetensors")
    other = replace(other, record=replace(other.record, target="a girl in the sun"))
    turn_to(page, "Library")
    page.locator("#library-adapters button", has_text=names[0]).first.wait_for()
    other.save(adapters / f"{names[1]}.safetensors")
    turn_to(page, "Edit")
    turn_to(page, "Library")
    page.locator("#library-adapters button", has_text=names[1]).first.wait_for()
    slow_line(page)
    for name in reversed(names):
        page.locator("#library-adapters button", has_text=name).first.click()
    name = page.locator("#library-name textarea, #library-name input").first
    page.wait_for_function(
        "(name) => document.querySelector('#library-name').innerHTML && "
        "document.querySelector('#library-name textarea, #library-name input')"
        ".value === name",
        arg=names[0],
    )
    assert names[0] == name.input_value()


def test_an_adapter_is_renamed_and_deleted_once_it_is_confirmed(
    served_page: Served, page: Any
) -> None:
    """Deleting asks first, and a no leaves everything as it was."""
    learn(page, "a girl to be forgotten", 6)
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


def looked_at(page: Any, scheme: str, size: dict[str, int], part: str) -> None:
    """In a part of the page, nothing shuts anybody out, and nothing is wider than the window."""
    turn_to(page, part)
    page.wait_for_timeout(300)  # colours and folds come to rest
    assert [] == faults(page), (scheme, size["width"], part)
    assert size["width"] >= page.evaluate("document.documentElement.scrollWidth"), (scheme, part)


def test_another_model_takes_the_place_of_the_one_at_hand(
    page: Any, folder: Callable[[Kind], Path]
) -> None:
    """A checkpoint that was fetched is offered; where one cannot be loaded, the one before is back."""
    unfold(page, "Model and memory")
    model = page.locator("#model-name input")
    model.click()
    options = page.locator("#model-name [role=option]").all_inner_texts()
    assert CHECKPOINT in str(options)
    assert "lora.safetensors" not in str(options)
    page.locator("#model-name [role=option]", has_text=CHECKPOINT).click()
    page.locator("#model-load").click()
    says(page, "model-state", "text_encoder")
    for name in (str(folder("sd1")), "demo", str(folder("sd1")), "demo"):
        model.fill(name)
        model.press("Enter")
        says(page, "model-needs", name)
        page.locator("#model-load").click()
        says(page, "model-state", f"{name} is here now.")


def test_everybody_can_use_the_page(page: Any, tmp_path: Path) -> None:
    """Light, and dark on a phone, axe-core finds nothing serious in any part, all of it unfolded.

    Contrast as the WCAG asks (4.5 to 1), names and roles are of it.
    """
    quickly(page, 1)
    press(page, "a girl for everybody")
    says(page, "edit-status", "Done.")
    folded = page.locator(".label-wrap:visible:not(.open)")
    while folded.count():
        folded.first.click()
    for scheme, size in (("light", DESKTOP), ("dark", PHONE)):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size(size)
        for part in ("Edit", "Compare", "History", "Library"):
            looked_at(page, scheme, size, part)
        page.screenshot(path=tmp_path / "page.png", animations="disabled")
        with Image.open(tmp_path / "page.png") as image:
            corner = image.convert("L").tobytes()[5 * image.width + 5]
        assert (corner < 60) == (scheme == "dark")


_PROMPTS = "transformer_blocks.0.attn2.to_k.weight"
"""What a checkpoint of Stable Diffusion is known by."""

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

_IN_VIEW = """(button) => {
    const box = button.getBoundingClientRect();
    return box.top >= 0 && box.bottom <= innerHeight;
}"""

_AWAY = """() => {
    window.notices = [];
    document.hasFocus = () => false;
    window.Notification = class {
        static permission = "default";
        static requestPermission = async () => "granted";
        constructor(_, said) { window.notices.push(said.body); }
    };
}"""
"""Lets the page believe that nobody looks at it, and writes down what it would tell them."""

_DROP = """async () => {
    const canvas = Object.assign(document.createElement("canvas"), {width: 40, height: 30});
    const blob = await new Promise((done) => canvas.toBlob(done));
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([blob], "dropped.png", {type: "image/png"}));
    const place = document.querySelector("h1");
    place.dispatchEvent(new DragEvent("drop", {dataTransfer, bubbles: true, cancelable: true}));
}"""
"""Drops a picture on the title of the page."""
