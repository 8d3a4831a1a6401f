"""Somebody who uses the page through its server, as a browser does, by the names of its widgets.

Everything goes through the server's own routes: what is shown comes from its answers alone.
"""

import io
import json
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote

from gradio_client.utils import apply_diff
from PIL import Image
from starlette.testclient import TestClient

Shown = dict[str, Any]
"""What a widget shows: its properties by name, `value` among them."""


class Visitor:
    """One browser tab on the page.

    Args:
        client: What asks the page's server.
        page: What names the page until it is loaded anew.
        tab: What names the browser tab; 32 hex digits.
        kept: What the browser tab kept of its fields.
        browser: What names the browser; as many digits.
    """

    def __init__(
        self,
        client: TestClient,
        page: str = "page",
        tab: str = "0" * 32,
        kept: str = "{}",
        browser: str = "0" * 32,
    ) -> None:
        self._client = client
        self.page = page
        config = client.get("/config").json()
        self._events = config["dependencies"]
        self._widgets: dict[int, Shown] = {
            each["id"]: dict(each["props"]) for each in config["components"]
        }
        self._ids = {
            props["elem_id"]: number
            for number, props in self._widgets.items()
            if props.get("elem_id")
        }
        for event in self._started_by(None, "load"):
            if event["js"]:  # the script in which a browser gives its names and what it kept
                for number, value in zip(event["inputs"], (tab, browser, kept), strict=True):
                    self._widgets[number]["value"] = value
            self._fire(event)

    def __getitem__(self, name: str) -> Shown:
        """Return what a widget shows."""
        return self._widgets[self._ids[name]]

    def text(self, name: str) -> str:
        """Return the text that a widget shows."""
        return str(self[name].get("value") or "")

    def pictures(self, name: str) -> list[str]:
        """Return the files of the small pictures that a place shows."""
        return list(map(unquote, re.findall(r'data-src="[^"]*?file=([^"]+)"', self.text(name))))

    def large(self, name: str) -> str:
        """Return the file of the picture that a place shows in large, to be downloaded."""
        (found,) = re.findall(r'class="one" href="[^"]*?file=([^"]+)"', self.text(name))
        return unquote(found)

    def take(self, adapter: str) -> None:
        """Edit an adapter of the library from now on."""
        self.do("library-tab", "select")
        self.select("library-adapters", adapter)
        self.do("use")

    def fill(self, **values: Any) -> None:
        """Put values into widgets; "_" stands for "-" in their names."""
        for name, value in values.items():
            self[name.replace("_", "-", 1)]["value"] = value

    def do(self, name: str, event: str = "click", **details: Any) -> None:
        """Do something to a widget, and see what comes of it to the end.

        Args:
            name: The widget's name.
            event: What is done, e.g. "click", "submit" or "change".
            details: What is told of it, such as the index of what was selected.
        """
        for each in self._started_by(self._ids[name], event):
            self._fire(each, details)

    def begin(self, name: str, event: str = "click") -> "Waiting":
        """Do something to a widget, and return what waits for the end of it."""
        (started,) = self._started_by(self._ids[name], event)
        return Waiting(self, started, self._join(started, {}))

    def upload(self, name: str, file: str, content: bytes) -> dict[str, Any]:
        """Upload a file into a widget; return what the page says of the file."""
        answer = self._client.post("/gradio_api/upload", files={"files": (file, content)})
        self.name_file(name, answer.json()[0], file)
        return dict(self[name]["value"] or {})

    def name_file(self, name: str, path: str, file: str = "") -> None:
        """Let a widget say that a file was uploaded."""
        self[name]["value"] = {
            "path": path,
            "orig_name": file,
            "meta": {"_type": "gradio.FileData"},
        }
        self.do(name, "upload")

    def clear(self, name: str) -> None:
        """Empty a widget."""
        self[name]["value"] = None
        self.do(name, "clear")

    def select(self, name: str, caption: str) -> None:
        """Select the picture of a gallery that stands above a caption."""
        pictures = self[name]["value"]
        index = next(i for i, each in enumerate(pictures) if each["caption"] == caption)
        self.do(name, "select", index=index, value=pictures[index])

    def _started_by(self, widget: int | None, event: str) -> list[dict[str, Any]]:
        """Return the events of the page that something done to a widget starts."""
        return [
            each
            for each in self._events
            if any(name == event and target == widget for target, name in each["targets"])
            or (widget is None and [name for _, name in each["targets"]] == [event])
        ]

    def _fire(self, event: dict[str, Any], details: dict[str, Any] | None = None) -> None:
        """Start an event, show all that it answers, and go on to what follows it."""
        if event["backend_fn"]:
            if event["queue"]:
                self.follow(event, self._join(event, details or {}))
                return
            body = self._body(event, details or {})
            answer = self._client.post("/gradio_api/run/predict", json=body)
            assert 200 == answer.status_code, answer.text
            self._show(event, answer.json()["data"])
        self._go_on(event)

    def _join(self, event: dict[str, Any], details: dict[str, Any]) -> str:
        """Put an event in the server's queue, and return its name there."""
        body = self._body(event, details)
        answer = self._client.post("/gradio_api/queue/join", json=body)
        assert 200 == answer.status_code, answer.text
        return str(answer.json()["event_id"])

    def follow(self, event: dict[str, Any], name: str) -> None:
        """Show all that an event in the queue answers, and go on to what follows it."""
        data: list[Any] = []
        for message in self._messages():
            output = message.get("output") or {}
            if message.get("event_id") != name or "data" not in output:
                assert message.get("success", True), message
                continue
            first = not data or message["msg"] == "process_completed"
            data = output["data"] if first else list(map(apply_diff, data, output["data"]))
            if message["msg"] == "process_generating" or not output["is_generating"]:
                self._show(event, data)
        self._go_on(event)

    def _messages(self) -> Iterator[dict[str, Any]]:
        """Yield what the server tells this page, until nothing is under way any more."""
        answer = self._client.get("/gradio_api/queue/data", params={"session_hash": self.page})
        for line in answer.text.splitlines():
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))

    def _body(self, event: dict[str, Any], details: dict[str, Any]) -> dict[str, Any]:
        """Return a request for an event, with what the widgets that it reads hold."""
        data = [self._widgets[number].get("value") for number in event["inputs"]]
        return {
            "data": data,
            "fn_index": event["id"],
            "session_hash": self.page,
            "event_data": details or None,
        }

    def _show(self, event: dict[str, Any], data: Sequence[Any]) -> None:
        """Take over what an event answers into the widgets."""
        for number, value in zip(event["outputs"], data, strict=True):
            if isinstance(value, dict) and value.get("__type__") == "update":
                self._widgets[number].update(value)
            else:
                self._widgets[number]["value"] = value

    def _go_on(self, event: dict[str, Any]) -> None:
        """Start what follows an event."""
        for each in self._events:
            if each.get("trigger_after") == event["id"]:
                self._fire(each)


class Waiting:
    """An event that is under way."""

    def __init__(self, visitor: Visitor, event: dict[str, Any], name: str) -> None:
        self._visitor, self._event, self._name = visitor, event, name

    def end(self) -> None:
        """See what comes of it to the end."""
        self._visitor.follow(self._event, self._name)


def png(size: tuple[int, int], colour: str = "white") -> bytes:
    """Return the content of a PNG of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """Return the beginning of a PNG that claims a size."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT"
