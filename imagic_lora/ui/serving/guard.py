"""What is let through to the page: its own hosts, its own files, and nothing too large.

It stands before the web framework, and trusts none of that framework's own checks.
"""

import json
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from imagic_lora.ui.serving.asgi import App, Receive, Scope, Send, again, answer, header, read

MOST_UPLOAD_BYTES = 256_000_000
"""Largest upload: a large adapter; images have a limit of their own."""

MOST_FORM_BYTES = 1_000_000
"""Largest set of values that a page sends; files are uploaded apart from them."""

MOST_KEPT_BYTES = 2_000_000_000
"""Most that may lie in the folder of uploads, with what was made there, before one more is taken."""

NOBODY = "'none'"
"""Stands for no site at all, where the sites are named that may show the page in a frame."""

_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; form-action 'self'; "
    "base-uri 'self'; frame-ancestors "
)


def headers(framed_by: str = NOBODY) -> dict[str, str]:
    """Return what is sent with every answer: the browser itself then asks no other server.

    Args:
        framed_by: The one site that may show the page in a frame.
    """
    return {
        "content-security-policy": _POLICY + framed_by,
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }


class Guard:
    """An ASGI application around another one.

    Args:
        app: What answers the requests that are let through.
        hosts: Names that the page may be asked for by, or None for any; a page of another name
            that leads here is how web sites reach into local servers.
        uploads: The folder that every file which a page names must lie in.
        framed_by: The one site that may show the page in a frame.
    """

    def __init__(
        self, app: App, hosts: frozenset[str] | None, uploads: Path, framed_by: str = NOBODY
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._uploads = uploads.resolve()
        self._headers = headers(framed_by)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None and _is_form(scope):
            body = await read(receive)
            refusal = self._form_refusal(body)
            receive = again(body)
        if refusal is None:
            await self._app(scope, receive, _with_headers(send, self._headers))
        else:
            await answer(_with_headers(send, self._headers), *refusal)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Return why a request is not let through by what its head says, or None."""
        if scope["type"] != "http":
            return 403, "There are no sockets here."
        if self._hosts is not None and _host(scope) not in self._hosts:
            return 403, "This page is for this machine alone."
        if _is_foreign(scope):
            return 403, "This page answers to itself alone."
        if "file=http" in scope["path"] or "proxy=" in scope["path"]:
            return 403, "Nothing is fetched from elsewhere."
        if scope["method"] != "POST":
            return None
        return _length_refusal(scope) or self._room_refusal(scope)

    def _room_refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Return why there is no room for an upload, or None."""
        if _is_form(scope):
            return None
        kept = sum(path.stat().st_size for path in self._uploads.rglob("*") if path.is_file())
        if kept + int(header(scope, b"content-length")) <= MOST_KEPT_BYTES:
            return None
        return 507, "There is no room for more uploads; start the page anew."

    def _form_refusal(self, body: bytes) -> tuple[int, str] | None:
        """Return why the values that a page sends are not let through, or None."""
        try:
            values = json.loads(body or b"null")
        except (ValueError, RecursionError):
            return 400, "The request is not JSON."
        if all(self._is_upload(path) for path in _paths(values)):
            return None
        return 403, "The request names a file that was not uploaded here."

    def _is_upload(self, path: Any) -> bool:
        """Return whether a file that a page names is one that was uploaded or made here."""
        try:
            return Path(path).resolve().is_relative_to(self._uploads)
        except (TypeError, ValueError, OSError):
            return False


def _host(scope: Scope) -> str:
    """Return the name that a page is asked for by, without the port."""
    host = header(scope, b"host").lower()
    name, _, port = host.rpartition(":")
    return name if port.isdecimal() else host


def _is_foreign(scope: Scope) -> bool:
    """Return whether another site's page asks for something to be done here.

    A browser says who asks, and lets no page choose what it says. To look is not to do.
    """
    if scope["method"] in ("GET", "HEAD") and scope["path"].rstrip("/") != "/logout":
        return False
    site, origin = header(scope, b"sec-fetch-site"), header(scope, b"origin").lower()
    if site:  # also behind a proxy that is known by another name than this server's
        return site not in ("same-origin", "none")
    if origin in ("", "null"):  # "null" is a page of no origin, or of our own that hides it
        return origin == "null"
    return origin.partition("://")[2] != header(scope, b"host").lower()


def _length_refusal(scope: Scope) -> tuple[int, str] | None:
    """Return why a request is too long to be let through, or None."""
    length = header(scope, b"content-length")
    if not length.isdecimal():
        return 411, "A request must say how long it is."
    if int(length) > (MOST_FORM_BYTES if _is_form(scope) else MOST_UPLOAD_BYTES):
        return 413, "The request is too large."
    return None


def _is_form(scope: Scope) -> bool:
    """Return whether a request brings values, not files or a password."""
    ending = scope["path"].rstrip("/").rpartition("/")[2]
    return scope["method"] == "POST" and ending not in ("upload", "login")


def _paths(values: Any) -> Iterator[Any]:
    """Yield every file that values name, however deep; None stands for no file."""
    if isinstance(values, dict):
        if values.get("path") is not None:
            yield values["path"]
        values = list(values.values())
    if isinstance(values, list):
        for value in values:
            yield from _paths(value)


def _with_headers(send: Send, headers: Mapping[str, str]) -> Send:
    """Return what sends an answer with the headers of this page, and lets no other page read it."""
    extra = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            given = message.get("headers", [])
            kept = [each for each in given if not each[0].lower().startswith(b"access-control-")]
            message["headers"] = [*kept, *extra]
        await send(message)

    return sending
