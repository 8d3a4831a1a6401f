"""What every test runs under: no network, one thread, and no traces left behind."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported, so set before it is

import hypothesis
import torch

torch.set_num_threads(1)
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test that tries to reach the network, even if it catches every Exception."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            pytest.fail(f"a test tried to connect to {address}")
        connect(self, address)

    def no_lookup(host: Any, *_: Any, **__: Any) -> None:
        pytest.fail(f"a test tried to look up {host}")

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded)
    monkeypatch.setattr(socket, "getaddrinfo", no_lookup)


@pytest.fixture(autouse=True)
def _no_traces() -> Iterator[None]:
    """Fail the test that leaves a changed process-wide state behind, and give each its own seed."""
    before = _state()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
    assert before == _state()


def _state() -> dict[str, object]:
    """Return what a test must leave as it was."""
    return {
        "folder": Path.cwd(),
        "environment": {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"},
        "dtype": torch.get_default_dtype(),
        "threads": torch.get_num_threads(),
        "gradients": torch.is_grad_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }
