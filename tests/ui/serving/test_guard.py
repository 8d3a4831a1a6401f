import asyncio
from typing import Any

import pytest
from starlette.testclient import TestClient

from imagic_lora.errors import ImageError
from imagic_lora.ui.serving import guard
from imagic_lora.ui.serving.server import build_app
from imagic_lora.ui.workspace import Workspace

HERE = "http://127.0.0.1"


@pytest.mark.parametrize("path", ["/etc/hostname", "../../etc/hostname", "", "x\x00y"])
def test_a_file_that_was_not_uploaded_is_not_read(workspace: Workspace, path: str) -> None:
    """Even where a request gets past the guard, a path of the server's own is refused."""
    for read in (workspace.uploads.file, workspace.uploads.image):
        with pytest.raises(ImageError, match="not uploaded"):
            read({"path": path})


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
def test_nothing_outside_is_served(client: TestClient, workspace: Workspace, path: str) -> None:
    """Only the page, and what was uploaded to it or made by it, can be asked for."""
    answer = client.get(path.format(adapters=workspace.library.folder), follow_redirects=False)

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


def test_who_gives_no_password_sees_nothing(workspace: Workspace) -> None:
    """With a login, every answer of substance needs it, and a wrong one does not do."""
    app = asyncio.run(build_app(workspace, None, ("mia", "secret")))
    with TestClient(app, base_url=HERE) as client:
        for path in ("/config", "/gradio_api/info", "/gradio_api/file=/tmp/x"):
            assert 401 == client.get(path).status_code
        assert 401 == client.post("/gradio_api/upload", files={"files": b"x"}).status_code
        wrong = client.post("/login", data={"username": "mia", "password": "guess"})
        assert 400 == wrong.status_code
        other = TestClient(app, base_url=HERE, client=("10.0.0.2", 1))  # who need not wait
        right = other.post("/login", data={"username": "mia", "password": "secret"})
        assert 200 == right.status_code
        assert 200 == other.get("/config").status_code


FOREIGN = ("http://evil.test:9010", "http://127.0.0.1:9009", "https://127.0.0.1.evil.test", "null")


@pytest.mark.parametrize("origin", FOREIGN)
def test_no_other_site_does_anything_here(client: TestClient, origin: str) -> None:
    """A page of another site, or of another server of this machine, cannot upload or start work."""
    for headers in ({"origin": origin}, {"origin": origin, "sec-fetch-site": "cross-site"}):
        sent = client.post("/gradio_api/upload", files={"files": b"x"}, headers=headers)
        joined = client.post("/gradio_api/queue/join", json={"data": []}, headers=headers)
        assert (403, 403) == (sent.status_code, joined.status_code)
    assert 403 == client.get("/logout", headers={"sec-fetch-site": "cross-site"}).status_code


@pytest.mark.parametrize("origin", FOREIGN)
def test_no_other_site_reads_anything_here(client: TestClient, origin: str) -> None:
    """The browser is not told that another site's page may see an answer."""
    answers = (
        client.get("/config", headers={"origin": origin}),
        client.options(
            "/gradio_api/upload",
            headers={"origin": origin, "access-control-request-method": "POST"},
        ),
    )

    for answer in answers:
        assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("headers", [{"origin": HERE}, {"sec-fetch-site": "same-origin"}, {}])
def test_the_pages_own_uploads_are_taken(client: TestClient, headers: dict[str, str]) -> None:
    """What the page itself sends, and what no browser sends, is let through."""
    answer = client.post("/gradio_api/upload", files={"files": b"x"}, headers=headers)

    assert 200 == answer.status_code


def test_all_uploads_together_have_a_limit(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uploads cannot fill the disk, however many they are."""
    monkeypatch.setattr(guard, "MOST_KEPT_BYTES", 1000)

    answer = client.post("/gradio_api/upload", files={"files": b"x" * 1001})

    assert 507 == answer.status_code
