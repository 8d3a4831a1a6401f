"""Starting the page as people do, and a headless Chromium that looks at it."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
"""What Chromium is called on the systems where it is a package."""

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""Nothing that asks for a graphics card, a display, or another server."""

CACHE = "fetched"
"""The folder beside the adapters in which models lie that were fetched before."""

PATIENCE = 120_000
"""Milliseconds to wait for anything: a machine may be busy with other things."""

DESKTOP, PHONE = {"width": 1240, "height": 860}, {"width": 390, "height": 844}
"""Sizes of a window, in pixels."""


def chromium() -> str | None:
    """Return where Chromium is installed, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def browser() -> Iterator[Any]:
    """Give a session of a headless Chromium, which loads and compiles the page's scripts once."""
    with sync_playwright() as playwright, TemporaryDirectory() as profile:
        started = playwright.chromium.launch_persistent_context(
            profile, executable_path=chromium(), headless=True, args=list(FLAGS)
        )
        try:
            yield started
        finally:
            started.close()


@contextmanager
def served(folder: Path, *flags: str) -> Iterator[str]:
    """Run `imagic-lora ui` in a folder, and give its address once it is there.

    Args:
        folder: Where it runs: its adapters go into a folder of that, and it knows of no models
            besides those that were fetched into `CACHE` there.
        flags: Flags of the command.
    """
    command = [sys.executable, "-m", "imagic_lora", "ui", "--port", "0", "--device", "cpu", *flags]
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": root,
            "PYTHONUNBUFFERED": "1",
            "HF_HUB_CACHE": str(folder / CACHE),
            "HF_HUB_OFFLINE": "1",
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        said = process.stdout.readline()
        found = re.search(r"http://\S+", said)
        assert found, f"the page did not start: {said!r}"
        try:
            yield found[0]
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def opened(
    session: Any,
    address: str,
    size: dict[str, int] = DESKTOP,
    asked: Callable[[str], None] | None = None,
) -> Any:
    """Return the page as somebody new sees it, ready to be used.

    Args:
        session: A session of the browser; of several in it, the last one to open the page is known.
        address: Where the page is.
        size: Size of the window.
        asked: Told the address of everything that the browser asks for, and every error in it.
    """
    page = session.new_page()
    page.set_viewport_size(size)
    page.add_init_script("sessionStorage.length || localStorage.clear()")
    page.set_default_timeout(PATIENCE)
    if asked is not None:
        page.on("request", lambda request: asked(request.url))
        page.on("pageerror", lambda error: asked(f"https://{error}/"))
    page.goto(address, wait_until="commit")
    page.wait_for_selector("#stage .view img")
    page.wait_for_timeout(1000)  # what is typed before all is wired is lost
    return page


def faults(page: Any) -> list[str]:
    """Return what axe-core finds on a page that shuts people out, or nearly so: which rule, and where."""
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text("utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


def turn_to(page: Any, name: str) -> None:
    """Turn to a part of the page."""
    page.get_by_role("tab", name=name).click()


def fill(page: Any, name: str, text: str) -> None:
    """Write into a field."""
    page.locator(f"#{name} textarea, #{name} input").first.fill(text)


def says(page: Any, name: str, text: str) -> None:
    """Wait until a place says something, in just these letters."""
    page.locator(f"#{name}", has_text=re.compile(re.escape(text))).wait_for()
