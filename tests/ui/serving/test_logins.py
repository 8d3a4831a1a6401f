import asyncio

import pytest

from imagic_lora.ui.serving.asgi import Receive, Scope, Send, answer
from imagic_lora.ui.serving.logins import LoginDelay

RIGHT, WRONG, TOO_EARLY = 200, 400, 429


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time, in seconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Give a clock that stands still."""
    return Clock()


def ask(door: LoginDelay, password: str, address: str = "10.0.0.1") -> int:
    """Give a password, and return the status of the answer."""
    seen: list[int] = []

    async def send(message: Scope) -> None:
        if message["type"] == "http.response.start":
            seen.append(message["status"])

    async def receive() -> Scope:
        return {"type": "http.request", "body": password.encode()}

    scope = {"type": "http", "path": "/login", "client": (address, 1)}
    asyncio.run(door(scope, receive, send))
    return seen[0]


async def secret(_: Scope, receive: Receive, send: Send) -> None:
    """Answer as a framework that knows one password."""
    right = (await receive())["body"] == b"secret"
    await answer(send, RIGHT if right else WRONG, "")


def test_each_wrong_password_costs_twice_the_last_ones_time(clock: Clock) -> None:
    """A guess that comes too early is not looked at, even if it is right."""
    door = LoginDelay(secret, clock)
    for seconds in (1, 2, 4, 8):
        assert WRONG == ask(door, "guess")
        clock.now += seconds - 0.1
        assert TOO_EARLY == ask(door, "secret")
        clock.now += 0.1

    assert RIGHT == ask(door, "secret")


def test_who_is_right_starts_anew(clock: Clock) -> None:
    """A right password wipes out the wrong ones before it."""
    door = LoginDelay(secret, clock)
    assert WRONG == ask(door, "guess")
    clock.now += 1
    assert RIGHT == ask(door, "secret")

    assert WRONG == ask(door, "guess")
    clock.now += 1
    assert RIGHT == ask(door, "secret")


def test_nobody_waits_for_anothers_mistake(clock: Clock) -> None:
    """Each address has its own delay, and none is longer than about a minute."""
    door = LoginDelay(secret, clock)
    for _ in range(20):
        assert WRONG == ask(door, "guess")
        assert RIGHT == ask(door, "secret", "10.0.0.2")
        clock.now += 64
