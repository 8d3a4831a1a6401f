"""A Hub of our own: an HTTP server on this machine that answers as the Hugging Face Hub does.

Only what is needed to make a repository, write files to it and read them; nothing is kept on disk.
"""

import base64
import builtins
import hashlib
import json
import multiprocessing
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import imagic_lora

Files = dict[str, bytes]

WRITER, READER = "hf_writer", "hf_reader"
"""The tokens that the Hub knows: one may write, the other only read."""

_COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """The server; `repositories` holds the files of each by path, `private` which are so."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.repositories: dict[str, Files] = {}
        self.private: dict[str, bool] = {}

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


class _Answers(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Write nothing."""

    def do_POST(self) -> None:
        """Answer what changes something."""
        body = self._body()
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token != WRITER:
            self._say(403 if token == READER else 401, {"error": "no"})
        elif self.path == "/api/validate-yaml":
            self._validate(json.loads(body)["content"])
        elif self.path == "/api/repos/create":
            self._create(json.loads(body))
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/main", self.path):
            files = json.loads(body)["files"]
            modes = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files
            ]
            self._say(200, {"files": modes})
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", self.path):
            self._commit(found[1], body)
        else:
            self._say(404, {"error": self.path})

    def do_HEAD(self) -> None:
        """Answer what a file is."""
        self._read()

    def do_GET(self) -> None:
        """Answer what a repository or a file holds."""
        self._read()

    def _create(self, asked: dict[str, Any]) -> None:
        name = f"{asked['organization']}/{asked['name']}"
        url = f"{self.server.address}/{name}"
        if name in self.server.repositories:
            self._say(409, {"error": "exists", "url": url})
            return
        self.server.repositories[name] = {}
        # Said in one word or in the other, by the client's version.
        self.server.private[name] = (
            bool(asked.get("private")) or asked.get("visibility") == "private"
        )
        self._say(200, {"url": url})

    def _validate(self, card: str) -> None:
        if "license: nonsense" in card:
            error = {"error": "Invalid", "errors": [{"message": '"license" must be one of [mit]'}]}
            self._say(400, error)
        else:
            self._say(200, {"errors": [], "warnings": []})

    def _commit(self, name: str, body: bytes) -> None:
        lines = [json.loads(line) for line in body.splitlines()]
        for value in (line["value"] for line in lines if line["key"] == "file"):
            self.server.repositories[name][value["path"]] = base64.b64decode(value["content"])
        url = f"{self.server.address}/{name}/commit/{_COMMIT}"
        self._say(200, {"commitUrl": url, "commitOid": _COMMIT, "success": True})

    def _read(self) -> None:
        path = unquote(self.path.partition("?")[0])
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(/.*)?", path):
            self._list(found[1], found[2] or "")
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._file(found[1], found[2], found[3])
        else:
            self._say(404, {"error": path})

    def _list(self, name: str, rest: str) -> None:
        files = self.server.repositories.get(name)
        if files is None:
            self._say(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
        elif rest.startswith("/tree"):
            self._say(200, [_entry(path, content) for path, content in files.items()])
        else:
            siblings = [{"rfilename": path} for path in files]
            self._say(200, {"id": name, "sha": _COMMIT, "siblings": siblings})

    def _file(self, name: str, revision: str, path: str) -> None:
        files = self.server.repositories.get(name)
        if files is None:
            self._say(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
        elif revision not in ("main", _COMMIT):
            self._say(404, {"error": "no revision"}, {"X-Error-Code": "RevisionNotFound"})
        elif path not in files:
            self._say(404, {"error": "no file"}, {"X-Error-Code": "EntryNotFound"})
        else:
            digest = hashlib.sha256(files[path]).hexdigest()
            self._send(200, files[path], {"ETag": f'"{digest}"', "X-Repo-Commit": _COMMIT})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _say(self, status: int, answer: Any, headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(answer).encode(), headers or {})

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _entry(path: str, content: bytes) -> dict[str, Any]:
    """Return what a listing says of a file."""
    oid = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    return {"type": "file", "path": path, "size": len(content), "oid": oid}


@contextmanager
def serving() -> Iterator[Hub]:
    """Give a Hub for the length of a block."""
    with Hub() as hub:
        thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()


class _Names(dict[str, Any]):
    """All public names of imagic_lora; only what is asked for is imported."""

    def __missing__(self, name: str) -> Any:
        return getattr(imagic_lora if name in imagic_lora.__all__ else builtins, name)


def ask(
    endpoint: str, home: Path, expressions: Sequence[str], *, token: str = "", offline: bool = False
) -> list[list[str]]:
    """Return what expressions are worth in a process of their own that knows our Hub.

    Args:
        endpoint: Address of the Hub.
        home: Where the process keeps its cache.
        expressions: Python, with all public names of imagic_lora.
        token: Who is logged in; "" for nobody.
        offline: Whether the process may not use the network.

    Returns:
        For each the name of its error, or "", and its value or the error's message.
    """
    environment = {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": str(int(offline)),
    }
    if token:
        environment["HF_TOKEN"] = token
    # Processes are forked off one that has imported torch, and nothing that reads the environment.
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["torch", "PIL.Image"])
    receiver, sender = server.Pipe(duplex=False)
    with sender:
        process = server.Process(target=_answer, args=(sender, environment, expressions))
        process.start()
    with receiver:
        answers: list[list[str]] = receiver.recv()
    process.join()
    return answers


def _answer(sender: Connection, environment: Mapping[str, str], expressions: Sequence[str]) -> None:
    """Send back what expressions are worth, once the environment is set."""
    for name in [name for name in os.environ if name.startswith("HF_")]:
        del os.environ[name]
    os.environ.update(environment)
    sender.send([_worth(words) for words in expressions])


def _worth(words: str) -> list[str]:
    """Return the name of an expression's error, or "", and its value or the error's message."""
    try:
        return ["", str(eval(words, {}, _Names()))]  # noqa: S307  the tests' own words
    except imagic_lora.ImagicError as error:
        return [type(error).__name__, str(error)]
