"""`imagic-lora ui`: the web page, on this machine alone unless told otherwise."""

import argparse
import getpass
import socket
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from imagic_lora.cli.commands import demo
from imagic_lora.cli.loading import load_editor
from imagic_lora.cli.terminal import Terminal
from imagic_lora.editor import ImagicEditor
from imagic_lora.errors import InputError, OutputError
from imagic_lora.files import check_writable
from imagic_lora.planning.choose import outlook
from imagic_lora.ui import check_installed

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def run(args: argparse.Namespace, terminal: Terminal) -> None:
    """Check what was asked for, load the model, and serve the page until Ctrl-C."""
    check_installed()
    login = _login(args.host, args.auth)
    check_writable(args.adapters / "adapter.safetensors", force=True)
    with _listener(args.host, args.port) as listener:
        editor = load_editor(args, args.model, terminal)
        _serve(args, editor, listener, login, terminal)


def _serve(
    args: argparse.Namespace,
    editor: ImagicEditor,
    listener: socket.socket,
    login: tuple[str, str] | None,
    terminal: Terminal,
) -> None:
    """Serve the page; the framework is loaded only now."""
    from imagic_lora.ui.serving.server import LOCAL, Door, opened_studio, serve  # noqa: PLC0415
    from imagic_lora.ui.studio import Example  # noqa: PLC0415

    example = None
    if args.model == demo.MODEL:
        example = Example(
            picture=Path(str(files("imagic_lora") / "demo" / demo.PICTURE)),
            source=demo.SOURCE,
            target=demo.TARGET,
            alphas=demo.ALPHAS,
        )
    hosts = LOCAL if args.host in _LOOPBACK else None
    with opened_studio(editor, args.adapters, example, _plan(args, editor)) as studio:
        terminal.tell(f"The page is at http://{_address(listener)} (Ctrl-C ends it).")
        try:
            serve(studio, Door(listener=listener, hosts=hosts, login=login))
        except KeyboardInterrupt:
            terminal.say("closing; a fit that runs is ended, and what it learned is kept")


def _login(host: str, name: str | None) -> tuple[str, str] | None:
    """Return the name and password to ask visitors for; the password is asked for here."""
    if name is None:
        if host not in _LOOPBACK:
            raise InputError(
                f"--host {host} lets other machines in, which needs a password: give --auth NAME "
                "too, and the password is asked for."
            )
        return None
    if sys.stdin.isatty():
        password = getpass.getpass(f"Password for {name}: ")
    else:
        password = sys.stdin.readline().rstrip("\n")
    if not (name.strip() and password):
        raise InputError("--auth needs a name and a password; one of them was empty.")
    return name, password


def _listener(host: str, port: int) -> socket.socket:
    """Return a socket that listens, so that a port which is taken is known before the model loads."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        raise OutputError(
            f"cannot serve at {host}, port {port}: {error}; choose another with --port, or 0 for "
            "any that is free."
        ) from error


def _address(listener: socket.socket) -> str:
    """Return the host and port that a socket listens at, as an address names them."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _plan(args: argparse.Namespace, editor: ImagicEditor) -> Sequence[Sequence[str]]:
    """Return what the work will need, where that is known without counting it."""
    found = outlook(args.model, editor.plan)
    return [] if found is None else found.rows()
