"""Serving the page: where, to whom, and with what around it."""

import asyncio
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio
import uvicorn
from fastapi import FastAPI

from imagic_lora.ui.history import History
from imagic_lora.ui.jobs.queue import JobQueue
from imagic_lora.ui.library import Library
from imagic_lora.ui.models import Choice, Loaded, Models
from imagic_lora.ui.page import CSS, SCRIPT, Page
from imagic_lora.ui.serving.guard import MOST_UPLOAD_BYTES, NOBODY, Guard
from imagic_lora.ui.serving.logins import LoginDelay
from imagic_lora.ui.sessions import Sessions
from imagic_lora.ui.uploads import Uploads
from imagic_lora.ui.workspace import Workspace

LOCAL = frozenset({"127.0.0.1", "localhost", "[::1]"})
"""Names of this machine that only this machine knows it by."""

_FONT = ["ui-sans-serif", "system-ui", "Segoe UI", "Roboto", "Helvetica", "Arial", "sans-serif"]
_MONO = ["ui-monospace", "Menlo", "Consolas", "monospace"]
_SECONDS_TO_LEAVE = 2
_FOLDERS = ("GRADIO_TEMP_DIR", "GRADIO_EXAMPLES_CACHE")


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a page is served, and to whom.

    Attributes:
        listener: A socket that listens already.
        hosts: Names that the page may be asked for by, or None for any.
        login: Name and password that are asked for, or None.
        framed_by: The one site that may show the page in a frame.
    """

    listener: socket.socket
    hosts: frozenset[str] | None
    login: tuple[str, str] | None
    framed_by: str = NOBODY


@contextmanager
def open_workspace(
    loaded: Loaded, adapters: Path, choice: Choice | None = None
) -> Iterator[Workspace]:
    """Give what a page works with; what it wrote is removed at the end, but for the adapters.

    Args:
        loaded: The model that the page begins with.
        adapters: The folder of the adapters.
        choice: Other models, or None where it cannot be changed.
    """
    with tempfile.TemporaryDirectory(prefix="imagic-lora-") as folder, _set(folder):
        work, jobs = Path(folder).resolve(), JobQueue()
        models = Models(
            _served(loaded, work), choice and replace(choice, load=_serving(choice.load, work))
        )
        del loaded  # the model is to be let go of where another one is asked for
        uploads, welcome = Uploads(work), models.now.welcome
        first = welcome.first if welcome else None
        picture = uploads.picture(first.picture) if first else None
        try:
            yield Workspace(
                models=models,
                jobs=jobs,
                library=Library(adapters, work / "thumbnails", models.check),
                history=History(adapters / "history", work / "history"),
                sessions=Sessions(work, picture, first.target if first else ""),
                uploads=uploads,
            )
        finally:
            jobs.close()


def _served(loaded: Loaded, work: Path) -> Loaded:
    """Return a model whose examples lie in the folder of what is served."""
    if loaded.welcome is None:
        return loaded
    copied = [
        replace(each, picture=Path(shutil.copy(each.picture, work)))
        for each in loaded.welcome.examples
    ]
    return replace(loaded, welcome=replace(loaded.welcome, examples=copied))


def _serving(load: Callable[[str], Loaded], work: Path) -> Callable[[str], Loaded]:
    """Return what loads a model whose examples lie in the folder of what is served."""
    return lambda name: _served(load(name), work)


async def build_app(
    workspace: Workspace,
    hosts: frozenset[str] | None,
    login: tuple[str, str] | None,
    framed_by: str = NOBODY,
) -> Guard:
    """Return the page as an ASGI application, with its guard before it.

    A coroutine, since the framework makes locks that belong to the loop which runs: without one, it
    makes loops of its own and leaves them open.

    Args:
        workspace: What it works with.
        hosts: Names that it may be asked for by, or None for any.
        login: Name and password that are asked for, or None.
        framed_by: The one site that may show the page in a frame.
    """
    blocks = Page(workspace).blocks
    app = gradio.mount_gradio_app(
        FastAPI(openapi_url=None),
        blocks,
        path="/",
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        auth=login,
        show_error=False,
        max_file_size=MOST_UPLOAD_BYTES,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        theme=_theme(),
        css=CSS,
        head=SCRIPT,
    )
    blocks.has_launched = True  # without it, what a page names is not held to the upload folder
    return Guard(LoginDelay(app), hosts, workspace.uploads.folder, framed_by)


def serve(workspace: Workspace, address: Address) -> None:
    """Serve the page until it is interrupted."""
    asyncio.run(_serve(workspace, address))


async def _serve(workspace: Workspace, address: Address) -> None:
    """Serve the page until it is interrupted."""
    config = uvicorn.Config(
        await build_app(workspace, address.hosts, address.login, address.framed_by),
        log_level="error",
        access_log=False,
        timeout_graceful_shutdown=_SECONDS_TO_LEAVE,
    )
    await _Server(config, workspace.jobs).serve(sockets=[address.listener])


class _Server(uvicorn.Server):  # type: ignore[misc]  # no types, since it may be missing
    """Ends the jobs before anything else, since the framework removes their files when it ends.

    Args:
        config: How to serve.
        jobs: The queue of jobs.
    """

    def __init__(self, config: uvicorn.Config, jobs: JobQueue) -> None:
        super().__init__(config)
        self._jobs = jobs

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let the running job keep what it has, then close."""
        self._jobs.close()
        await super().shutdown(sockets)


def _theme() -> Any:
    """Return calm colours that can be read (4.5 to 1 as the WCAG asks), and fonts of every machine."""
    base = gradio.themes.Base(
        primary_hue="teal",
        neutral_hue="stone",
        font=_FONT,
        font_mono=_MONO,
        spacing_size="sm",
        radius_size="md",
        text_size="md",
    )
    return base.set(
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_hover_dark="*primary_800",
        button_primary_border_color="*primary_700",
        button_primary_border_color_dark="*primary_700",
        button_secondary_background_fill="transparent",
        button_secondary_background_fill_dark="transparent",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_background_fill_hover_dark="*neutral_800",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_600",
        button_border_width="1px",
        button_cancel_background_fill="transparent",
        button_cancel_background_fill_dark="transparent",
        button_cancel_background_fill_hover="#dc2626",
        button_cancel_background_fill_hover_dark="#b91c1c",
        button_cancel_border_color="#dc2626",
        button_cancel_border_color_dark="#f87171",
        button_cancel_text_color="#b91c1c",
        button_cancel_text_color_dark="#f87171",
        button_cancel_text_color_hover="white",
        button_cancel_text_color_hover_dark="white",
        color_accent="*primary_700",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_300",
        body_text_color_subdued="*neutral_500",
        block_info_text_color="*neutral_500",
        block_title_text_color="*neutral_600",
        input_border_color_focus="*primary_700",
        input_border_color_focus_dark="*primary_400",
    )


@contextmanager
def _set(folder: str) -> Iterator[None]:
    """Let gradio store into a folder, and tell nobody of it, for the length of a block."""
    values = {**dict.fromkeys(_FOLDERS, folder), "HF_HUB_DISABLE_TELEMETRY": "True"}
    before: Mapping[str, str | None] = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
