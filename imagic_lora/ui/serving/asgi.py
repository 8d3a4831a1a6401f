"""The few pieces of ASGI that what stands before the page's framework is made of."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def header(scope: Scope, name: bytes) -> str:
    """Return a header of a request, or ""."""
    found = (value.decode("latin-1") for key, value in scope["headers"] if key == name)
    return next(found, "")


async def read(receive: Receive) -> bytes:
    """Return a whole body, the length of which was checked."""
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def again(body: bytes) -> Receive:
    """Return what gives a body that was read once more."""
    sent = False

    async def receive() -> MutableMapping[str, Any]:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def watched(send: Send, seen: Callable[[int], None]) -> Send:
    """Return what sends an answer, and tells its status."""

    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            seen(message["status"])
        await send(message)

    return sending


async def answer(send: Send, status: int, text: str) -> None:
    """Answer a request in a plain sentence."""
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
