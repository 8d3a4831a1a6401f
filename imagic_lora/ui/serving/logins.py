"""Wrong passwords cost time: each one makes its address wait longer until the next try.

It stands before the web framework, and knows a wrong password by the framework's own answer.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from imagic_lora.ui.serving.asgi import App, Receive, Scope, Send, answer, watched

_LONGEST = 64.0
"""Seconds that nobody waits longer than."""

_MOST = 1000
"""Addresses that are remembered; the one that was wrong longest ago is forgotten first."""

_RIGHT = 200
"""What the framework answers a right password with."""


class LoginDelay:
    """An ASGI application around another one, which asks for a password.

    Args:
        app: What answers the requests.
        clock: Returns a time in seconds.
    """

    def __init__(self, app: App, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._clock = clock
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; a password that comes too early is not even looked at."""
        if scope["type"] != "http" or scope["path"].rstrip("/") != "/login":
            await self._app(scope, receive, send)
            return
        address = str((scope.get("client") or ("",))[0])
        count, until = self._wrong.get(address, (0, -math.inf))
        left = until - self._clock()
        if left > 0:
            await answer(send, 429, f"Too many wrong passwords; wait {math.ceil(left)} s.")
            return
        self._note(address, count + 1)  # also while the answer is under way
        await self._app(scope, receive, watched(send, lambda status: self._seen(address, status)))

    def _note(self, address: str, count: int) -> None:
        """Let an address wait, twice as long for each wrong password."""
        self._wrong[address] = (count, self._clock() + min(2.0 ** (count - 1), _LONGEST))
        self._wrong.move_to_end(address)
        while len(self._wrong) > _MOST:
            self._wrong.popitem(last=False)

    def _seen(self, address: str, status: int) -> None:
        """Forget an address whose password was right."""
        if status == _RIGHT:
            self._wrong.pop(address, None)
