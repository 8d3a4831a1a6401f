"""Asking a model behind an OpenAI-style URL, as vLLM, SGLang and hosted services offer it."""

import base64
import http.client
import json
import os
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from PIL import Image

from imagic_lora.bench.judging.asking import Content
from imagic_lora.errors import InputError, JudgeError, quoted
from imagic_lora.images.png import to_png

KEY = "JUDGE_API_KEY"
"""The environment variable that holds a key, for a server that wants one."""

_TRIES, _PAUSE = 3, 2.0
_BUSY = {429, 500, 502, 503, 504}
"""Answers of a server that may be another one soon."""

_SECONDS = 300
_MOST_TOKENS = 1024
_FILTERED = ("content_filter", "content_policy", "safety")
"""What is in the error of a server that refuses what it was shown."""


@dataclass(frozen=True)
class Server:
    """A model on a server.

    Attributes:
        url: Where its API begins, e.g. "http://localhost:8000/v1".
        model: Name of the model there.
    """

    url: str
    model: str

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise InputError(
                f"The judge was at {quoted(self.url)}, allowed is an address that begins with http:// "
                "or https://, such as http://localhost:8000/v1."
            )

    def ask(self, content: Content) -> str:
        """Return the answer as it is, at temperature 0; "" for a refusal by the server itself.

        Args:
            content: What is asked.

        Raises:
            JudgeError: When there is no answer.
        """
        asked = {
            "model": self.model,
            "messages": [{"role": "user", "content": [_part(one) for one in content]}],
            "temperature": 0,
            "max_tokens": _MOST_TOKENS,
        }
        return self._answer(json.dumps(asked).encode())

    def _answer(self, body: bytes) -> str:
        """Send a question, a few times where the server is busy."""
        for left in reversed(range(_TRIES)):
            try:
                return _said(self._post(body))
            except urllib.error.HTTPError as error:
                reason = error.read().decode("utf-8", "replace")
                if error.code < 429 and any(word in reason.lower() for word in _FILTERED):
                    return ""
                if error.code not in _BUSY or not left:
                    raise JudgeError(self._sorry(f"{error.code}, {quoted(reason)}")) from error
            except (OSError, http.client.HTTPException) as error:
                if not left:
                    raise JudgeError(self._sorry(str(error))) from error
            time.sleep(_PAUSE)
        raise AssertionError("the last try returns or raises")

    def _post(self, body: bytes) -> bytes:
        """Send what is asked, and return the body of the answer."""
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get(KEY):
            headers["Authorization"] = f"Bearer {key}"
        address = f"{self.url.rstrip('/')}/chat/completions"
        request = urllib.request.Request(address, body, headers)  # noqa: S310  http alone, see above
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310  likewise
            found: bytes = answer.read()
        return found

    def _sorry(self, reason: str) -> str:
        return (
            f"The judge {quoted(self.model)} at {self.url} did not answer ({reason}); see that it "
            "runs, and give the same command again: what was answered is kept."
        )


def _part(one: str | Image.Image) -> dict[str, Any]:
    """Return a part of what is asked: a text, or a picture as an address that holds it."""
    if isinstance(one, str):
        return {"type": "text", "text": one}
    address = f"data:image/png;base64,{base64.b64encode(to_png(one)).decode()}"
    return {"type": "image_url", "image_url": {"url": address}}


def _said(body: bytes) -> str:
    """Return the text of an answer; "" where it has none.

    Raises:
        JudgeError: When it is no answer of such a server.
    """
    try:
        said = json.loads(body)["choices"][0]["message"].get("content")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise JudgeError(
            f"The judge answered {quoted(body.decode('utf-8', 'replace'))}, expected is what an "
            "OpenAI-style server answers; look at the address given by --judge."
        ) from error
    return said if isinstance(said, str) else ""
