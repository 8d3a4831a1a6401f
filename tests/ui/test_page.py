import asyncio
import io
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio
import pytest
from PIL import Image
from starlette.testclient import TestClient

from imagic_lora import Adapter, ImagicEditor
from imagic_lora.images.png import read_record
from imagic_lora.ui.page import Page
from imagic_lora.ui.serving import guard
from imagic_lora.ui.serving.server import LOCAL, build_app, opened_studio
from imagic_lora.ui.studio import Example, Studio
from tests.support.tiny import Kind

Fitted = Callable[[Kind], Adapter]
REQUEST: Any = SimpleNamespace(session_hash="page")
SCRIPT = "<img src=x onerror=alert(1)>"
HERE = "http://127.0.0.1"


@pytest.fixture(scope="module")
def house(
    tmp_path_factory: pytest.TempPathFactory,
    picture: Image.Image,
    editor: Callable[[Kind], ImagicEditor],
) -> Iterator[Studio]:
    """Give what a page works with, one for all tests: a tiny model and an example."""
    folder = tmp_path_factory.mktemp("house")
    picture.save(folder / "cat.png")
    example = Example(picture=folder / "cat.png", source="a dog", target="a cat", alphas=(0.0, 1.0))
    with opened_studio(editor("sd1"), folder / "adapters", example, []) as studio:
        yield studio


@pytest.fixture
def studio(house: Studio, adapter: Fitted) -> Studio:
    """Give what a page works with as if nobody had been there: one adapter, no sessions."""
    house.sessions._by_key.clear()
    for path in house.shelf.folder.glob("*"):
        path.unlink()
    adapter("sd1").save(house.shelf.folder / "cat.safetensors")
    return house


@pytest.fixture(scope="module")
def shared_page(house: Studio) -> Page:
    """Give the page, built once."""

    async def built() -> Page:
        return Page(house)

    return asyncio.run(built())


@pytest.fixture
def page(shared_page: Page, studio: Studio) -> Page:
    """Give the page as if nobody had been there."""
    assert studio
    return shared_page


@pytest.fixture(scope="module")
def shared_client(house: Studio) -> Iterator[TestClient]:
    """Give somebody who asks the page's server, from this machine."""
    app = asyncio.run(build_app(house, LOCAL, None))
    with TestClient(app, base_url=HERE) as client:
        yield client


@pytest.fixture
def client(shared_client: TestClient, studio: Studio) -> TestClient:
    """Give somebody who asks the page's server as if nobody had been there."""
    assert studio
    return shared_client


def upload(client: TestClient, name: str, content: bytes) -> dict[str, str]:
    """Upload a file, and return what the page would say of it."""
    (path,) = client.post("/gradio_api/upload", files={"files": (name, content)}).json()
    return {"path": path, "orig_name": name}


def values(form: dict[str, Any], **changes: Any) -> list[Any]:
    """Return what the widgets of a form hold, some of them changed."""
    return [changes.get(name, widget.value) for name, widget in form.items()]


def png_header(width: int, height: int) -> bytes:
    """Return the beginning of a PNG that claims a size."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT"


def fit(page: Page, **changes: Any) -> list[Any]:
    """Fit the example by the page, and return what is shown last."""
    given = {"source": "a dog", "target": "a cat", "steps": 3} | changes
    words: list[Any] = [given.pop("source"), given.pop("target")]
    *_, shown = page.fit._run(REQUEST, *words, 1, 0.5, 0.5, *values(page.fit.form, **given))
    return list(shown)


def edit(page: Page, *, target: str = "", seeds: str = "0", **changes: Any) -> list[Any]:
    """Make two edits by the page, and return what is shown last."""
    given = values(page.edit.form.form, steps=1, **changes)
    looks = list(page.edit._run(REQUEST, target, seeds, "a sweep", 1.0, 0.0, 1.0, 2, *given))
    grids = [look[1] for look in looks if hasattr(look[1], "columns")]
    return [looks[-1][0], *grids[-1:], *looks[-1][2:]]


def test_a_fit_lands_in_the_library(page: Page, studio: Studio) -> None:
    """One press fits the example; its adapter is listed, chosen, and can be downloaded."""
    text, _, _, _, after, download = fit(page)

    assert "Fitted in 3 steps" in text
    assert "<polyline" in text
    assert after.visible
    assert {"cat", "a-cat"} == {entry.name for entry in studio.shelf.entries()}
    assert "a-cat" == studio.session(REQUEST).adapter
    assert studio.shelf.load("a-cat") == Adapter.load(download)


def test_a_fit_that_is_stopped_keeps_what_it_learned(page: Page, studio: Studio) -> None:
    """Stop ends a fit of any length after the step at hand, and saves it."""
    given = values(page.fit.form, steps=100_000, stop_at=0)
    running = page.fit._run(REQUEST, "", "a fox", 1, 0.5, 0.5, *given)
    next(running)
    page.fit._stop(REQUEST)
    *_, (text, *_) = running

    job = studio.session(REQUEST).fit
    assert job is not None
    assert job.error == ""
    if "Fitted in" in text:
        assert studio.shelf.find("a-fox").record.losses
    else:
        assert "before anything" in text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"source": " ", "target": ""}, "needs words"),
        ({"steps": 0}, "steps was 0"),
        ({"lora_lr": 7.0}, "lora_lr was 7.0"),
        ({"mode": SCRIPT}, "mode was"),
        ({"width": 1}, "width was 1"),
    ],
)
def test_a_fit_is_refused_before_it_begins(
    page: Page, changes: dict[str, Any], expected: str
) -> None:
    """What cannot be is answered in a sentence, and nothing gets in line."""
    text = fit(page, **changes)[0]

    assert expected in text
    assert 'class="note bad"' in text
    assert "<img" not in text


def test_the_crop_shows_what_is_lost(page: Page, studio: Studio) -> None:
    """What will not be fitted is dimmed, and the canvas is named."""
    studio.session(REQUEST).picture = studio.uploads / "wide.png"
    Image.new("RGB", (96, 32), "white").save(studio.uploads / "wide.png")

    shown, _ = page.fit.frame(REQUEST, 1, 0, 0.5, 32, 32)

    image = Image.open(shown.value["path"]).convert("RGB")
    assert (255, 255, 255) == image.getpixel((16, 16))
    assert 120 > max(image.getpixel((80, 16)))  # type: ignore[arg-type]
    assert "32 x 32" in shown.label


def test_edits_land_in_a_grid(page: Page, studio: Studio) -> None:
    """Strengths stand across, seeds down; files and a pair to slide between are there."""
    page.edit.form.refresh(REQUEST)
    text, grid, _, _, downloads, sheet, archive, pair, about, one = edit(page, seeds="0, 1")

    made = studio.session(REQUEST).made
    assert "Done." in text
    assert 2 == grid.columns
    assert ["alpha 0, seed 0", "alpha 1, seed 0", "alpha 0, seed 1", "alpha 1, seed 1"] == [
        each.caption for each in made
    ]
    assert downloads.visible
    assert pair.visible
    assert "<dt>alpha</dt><dd>1</dd>" in about
    assert all(Path(file).is_file() for file in (sheet, archive, one))
    record = read_record(one)
    assert record is not None
    assert ("a cat", 1.0) == (record["target"], record["alpha"])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"seeds": "many"}, "seeds were"),
        ({"seeds": ",".join(map(str, range(40)))}, "80 pictures were asked for"),
        ({"guidance": -1.0}, "guidance was -1.0"),
    ],
)
def test_edits_are_refused_before_they_begin(
    page: Page, changes: dict[str, Any], expected: str
) -> None:
    """What cannot be is answered in a sentence."""
    page.edit.form.refresh(REQUEST)

    assert expected in edit(page, **changes)[0]


def test_a_strength_is_found_where_none_is_given(page: Page, studio: Studio) -> None:
    """Who does not know a strength gets the picture of one that was found, and reads which."""
    page.edit.form.refresh(REQUEST)
    given = values(page.edit.form.form, steps=1)
    *_, shown = page.edit._run(REQUEST, "", "0", "found for me", 1.0, 0.0, 1.0, 2, *given)

    assert "Done." in shown[0]
    (made,) = studio.session(REQUEST).made
    assert made.label == f"alpha {(read_record(made.path) or {})['alpha']:g}"


def test_a_mask_holds_the_edit(page: Page, client: TestClient) -> None:
    """Where the mask is black the picture stays; a black one is refused in words."""
    page.edit.form.refresh(REQUEST)
    for colour, expected in (("white", "Done."), ("black", "black everywhere")):
        buffer = io.BytesIO()
        Image.new("RGB", (32, 32), colour).save(buffer, "PNG")
        sent = upload(client, f"{colour}.png", buffer.getvalue())
        assert "" == page.edit.form._take_mask(sent, REQUEST)
        assert expected in edit(page)[0]


def test_without_an_adapter_the_page_says_what_to_do(page: Page, studio: Studio) -> None:
    """An empty library is no dead end."""
    studio.shelf.delete("cat")
    gallery, text = page.edit.form.refresh(REQUEST)

    assert not gallery.visible
    assert "fit a picture first" in text
    assert "fit a picture first" in edit(page)[0]


def test_a_comparison_shows_both_ways(page: Page) -> None:
    """The same prompt, seed and negative prompt are used for the edit and for img2img."""
    page.edit.form.refresh(REQUEST)
    form = values(page.compare.form, steps=2, seed=5, negative="a dog")
    *_, shown = page.compare._run(REQUEST, "a fox", 1.0, 0.5, 0.25, *form)

    first, second = (read_record(file) or {} for file in shown[-2:])
    assert ("Edit", "Variation") == (first["kind"], second["kind"])
    assert (0.5, 0.25) == (second["strength"], second["noise"])
    for name in ("steps", "seed", "negative"):
        assert first["settings"][name] == second["settings"][name]


def test_a_picture_brings_its_settings_back(page: Page, studio: Studio) -> None:
    """A PNG that was made here fills the form that made it, and chooses its adapter."""
    page.edit.form.refresh(REQUEST)
    picture = edit(page, target="a fox", seeds="3", guidance=2.0)[-1]
    studio.session(REQUEST).adapter = ""

    held = page._restore({"path": picture}, REQUEST)

    assert ("a fox", "3", 2.0) == tuple(
        held[widget]
        for widget in (page.edit.form.target, page.edit.form.seeds, page.edit.form.form["guidance"])
    )
    assert "cat" == studio.session(REQUEST).adapter
    assert "taken up" in held[page.edit.status]


def test_a_foreign_picture_brings_nothing(page: Page, studio: Studio) -> None:
    """A picture without settings is answered with why, and changes nothing."""
    Image.new("RGB", (16, 16)).save(studio.uploads / "plain.png")

    held = page._restore({"path": str(studio.uploads / "plain.png")}, REQUEST)

    assert "carries no settings" in held[page.edit.status]
    assert page.edit.form.target not in held


def test_a_page_that_is_loaded_anew_finds_its_session(page: Page, studio: Studio) -> None:
    """A browser tab keeps its adapter and its pictures; another tab has its own."""
    key, again, other = (SimpleNamespace(session_hash=name) for name in ("one", "two", "three"))
    page._open("0" * 32, key)
    studio.session(key).adapter = "mine"
    page._open("0" * 32, again)
    page._open("1" * 32, other)

    assert ("mine", "") == (studio.session(again).adapter, studio.session(other).adapter)


def test_the_library_renames_and_deletes(page: Page, studio: Studio) -> None:
    """What is chosen gets another name, and goes when it is asked to."""
    page.edit.form.refresh(REQUEST)

    assert "is now called Mia" in page.library._rename("Mia", REQUEST)
    assert "allowed are letters" in page.library._rename(SCRIPT, REQUEST)
    page.library._ask(REQUEST)
    assert "Mia is deleted" in page.library._delete(REQUEST)
    assert [] == studio.shelf.entries()


def test_what_is_deleted_is_what_was_asked_about(
    page: Page, studio: Studio, adapter: Fitted
) -> None:
    """The question stays while its adapter is the chosen one, and goes when another one is."""
    for name in ("mine", "yours"):
        adapter("sd1").save(studio.shelf.folder / f"{name}.safetensors")
    studio.session(REQUEST).adapter = "mine"
    place = page.library.shown.index(page.library.asking)
    page.library.refresh(REQUEST)

    page.library._ask(REQUEST)
    assert gradio.skip() == page.library.refresh(REQUEST)[place]
    studio.session(REQUEST).adapter = "yours"
    assert "mine is deleted" in page.library._delete(REQUEST)
    assert "yours" == studio.session(REQUEST).adapter
    assert not page.library.refresh(REQUEST)[place].visible
    assert gradio.skip() == page.library.refresh(REQUEST)[place]


def test_names_and_prompts_are_never_markup(page: Page, studio: Studio, adapter: Fitted) -> None:
    """A file that somebody put there under any name, with any prompt, is shown as text."""
    hostile = fit(page, source=SCRIPT, target=SCRIPT)
    path = studio.shelf.folder / f"{SCRIPT.replace('/', '')}.safetensors"
    adapter("sd1").save(path)
    shown = list(hostile)
    for entry in studio.shelf.entries():
        studio.session(REQUEST).adapter = entry.name
        shown += page._refresh(REQUEST)

    pages = [text for text in shown if isinstance(text, str) and "class=" in text]
    assert not [text for text in pages if "<img" in text]
    assert 3 <= len([text for text in pages if "&lt;img" in text])


def test_an_image_is_taken_in(page: Page, client: TestClient, studio: Studio) -> None:
    """What was uploaded is what will be fitted."""
    buffer = io.BytesIO()
    Image.new("RGB", (48, 32), "teal").save(buffer, "PNG")
    sent = upload(client, "teal.png", buffer.getvalue())

    shown, _ = page.fit._take(REQUEST, sent, 1, 0.5, 0.5, None, None)

    assert shown is not None
    assert Path(sent["path"]).resolve() == studio.session(REQUEST).picture


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("page.png", b"<script>alert(1)</script>", "not an image"),
        (f"{SCRIPT}.png", b"nothing", "not an image"),
        ("bomb.png", png_header(60_000, 60_000), "scale it down"),
        ("dot.png", png_header(2, 2), "use a larger image"),
        ("empty.png", b"", "empty"),
    ],
    ids=["page", "script", "bomb", "dot", "empty"],
)
def test_what_is_no_picture_is_refused(
    page: Page, client: TestClient, studio: Studio, name: str, content: bytes, expected: str
) -> None:
    """Hostile images get the library's errors, as text, without the server's folders."""
    sent = upload(client, name, content)

    shown, text = page.fit._take(REQUEST, sent, 1, 0.5, 0.5, None, None)

    assert shown is None
    assert expected in text
    assert "<img" not in text
    assert str(studio.uploads) not in text
    assert studio.session(REQUEST).picture is None


def test_a_large_image_file_is_refused(
    page: Page, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image has a limit of bytes before it is opened."""
    monkeypatch.setattr("imagic_lora.ui.studio.MOST_IMAGE_BYTES", 10)
    sent = upload(client, "large.png", b"x" * 11)

    assert "allowed are" in page.fit._take(REQUEST, sent, 1, 0.5, 0.5, None, None)[1]


@pytest.mark.parametrize("path", ["/etc/hostname", "../../etc/hostname", "", "x\x00y"])
def test_a_file_that_was_not_uploaded_is_not_read(page: Page, path: str) -> None:
    """Even where a request gets past the guard, a path of the server's own is refused."""
    sent = {"path": path}

    assert "not uploaded" in page.fit._take(REQUEST, sent, 1, 0.5, 0.5, None, None)[1]
    assert "not uploaded" in page.library._accept(sent, REQUEST)
    assert "not uploaded" in page._restore(sent, REQUEST)[page.edit.status]


def test_an_adapter_is_taken_in_once_it_is_checked(
    page: Page, client: TestClient, studio: Studio, adapter: Fitted
) -> None:
    """A shared file is listed and chosen; one for another base, or none at all, is refused."""
    good, other = (adapter(kind).to_bytes() for kind in ("sd1", "sd2"))

    assert "is here now" in page.library._accept(
        upload(client, "from mia.safetensors", good), REQUEST
    )
    assert "tiny-sd2" in page.library._accept(upload(client, "b.safetensors", other), REQUEST)
    assert "cannot be used" in page.library._accept(upload(client, "c.safetensors", b"x"), REQUEST)
    assert {"cat", "from-mia"} == {entry.name for entry in studio.shelf.entries()}


def test_the_page_is_served(client: TestClient) -> None:
    """The page comes with headers by which the browser itself asks no other server."""
    answer = client.get("/")

    assert 200 == answer.status_code
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")
    assert "no-referrer" == answer.headers["referrer-policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=../../../../etc/passwd",
        "/gradio_api/file=%2e%2e/%2e%2e/etc/passwd",
        "/gradio_api/file=file:///etc/passwd",
        "/gradio_api/file=http://127.0.0.1/",
        "/gradio_api/file=https%3A//example.org/",
        "/gradio_api/proxy=http://example.org/",
        "/gradio_api/file={adapters}/cat.safetensors",
        "/gradio_api/file={adapters}/../cat.png",
        "/static/../../../../etc/passwd",
        "/assets/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/monitoring",
    ],
)
def test_nothing_outside_is_served(client: TestClient, studio: Studio, path: str) -> None:
    """Only the page, and what was uploaded to it or made by it, can be asked for."""
    answer = client.get(path.format(adapters=studio.shelf.folder), follow_redirects=False)

    assert answer.status_code in (400, 403, 404)
    assert "root:" not in answer.text


@pytest.mark.parametrize(
    "data", [[{"path": "/etc/passwd"}], [[{"a": {"path": "../x"}}]], [{"path": "http://x.org/"}]]
)
def test_a_request_names_no_file_of_the_servers_own(client: TestClient, data: list[Any]) -> None:
    """A form that names a file which was not uploaded goes no further."""
    body = {"data": data, "fn_index": 0, "session_hash": "page"}

    assert 403 == client.post("/gradio_api/queue/join", json=body).status_code


@pytest.mark.parametrize("host", ["example.org", "127.0.0.1.example.org", "", "localhost@x"])
def test_a_page_of_another_name_is_refused(client: TestClient, host: str) -> None:
    """A web site whose name leads to this machine does not reach in."""
    assert 403 == client.get("/", headers={"host": host}).status_code


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:7860", "LOCALHOST", "[::1]:7860"])
def test_this_machines_own_names_are_known(client: TestClient, host: str) -> None:
    """The page is found by every name that only this machine has."""
    assert 200 == client.get("/robots.txt", headers={"host": host}).status_code


def test_uploads_have_a_limit(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too large is refused by what it says of itself, before it is read."""
    monkeypatch.setattr(guard, "MOST_UPLOAD_BYTES", 1000)
    monkeypatch.setattr(guard, "MOST_FORM_BYTES", 100)

    large = client.post("/gradio_api/upload", files={"files": ("x.png", b"x" * 1001)})
    form = client.post("/gradio_api/queue/join", json={"data": ["x" * 100]})
    silent = client.post("/gradio_api/upload", content=iter([b"x"]))

    assert (413, 413, 411) == (large.status_code, form.status_code, silent.status_code)


@pytest.mark.parametrize("body", [b"{", b"[" * 100_000, b"\xff"])
def test_a_form_that_is_no_json_is_refused(client: TestClient, body: bytes) -> None:
    """What cannot be read is answered, whatever it is."""
    assert 400 == client.post("/gradio_api/queue/join", content=body).status_code


def test_who_gives_no_password_sees_nothing(studio: Studio) -> None:
    """With a login, every answer of substance needs it, and a wrong one does not do."""
    app = asyncio.run(build_app(studio, None, ("mia", "secret")))
    with TestClient(app, base_url=HERE) as client:
        for path in ("/config", "/gradio_api/info", "/gradio_api/file=/tmp/x"):
            assert 401 == client.get(path).status_code
        assert 401 == client.post("/gradio_api/upload", files={"files": b"x"}).status_code
        wrong = client.post("/login", data={"username": "mia", "password": "guess"})
        assert 400 == wrong.status_code
        right = client.post("/login", data={"username": "mia", "password": "secret"})
        assert 200 == right.status_code
        assert 200 == client.get("/config").status_code
