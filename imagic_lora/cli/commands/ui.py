"""`imagic-lora ui`: the web page, on this machine alone unless told otherwise."""

import getpass
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imagic_lora import demo
from imagic_lora.cli.flags import command, flag, one, path, text
from imagic_lora.cli.model import BaseModel, base_model
from imagic_lora.cli.terminal import Terminal
from imagic_lora.errors import InputError, OutputError
from imagic_lora.files import check_writable
from imagic_lora.settings import Option
from imagic_lora.ui import check_installed

if TYPE_CHECKING:
    from imagic_lora.editor import ImagicEditor
    from imagic_lora.ui.models import Choice, Loaded

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_PORT = Option("port to listen at, 0 for any that is free", kind=int, low=0, high=65_535)


@command("ui", "open a web page to fit, edit, compare and keep adapters")
@flag(
    "--adapters",
    read=path,
    default=Path("imagic-adapters"),
    metavar="DIR",
    help="the folder of the adapters (default: imagic-adapters)",
)
@flag(
    "--host",
    read=text,
    default="127.0.0.1",
    metavar="NAME",
    help="address to listen at; any but this machine's own needs --auth (default: 127.0.0.1)",
)
@flag(
    "--port",
    read=one(_PORT),
    default=7860,
    metavar="N",
    help=f"{_PORT.help} ({_PORT.range_text()}; default: 7860)",
)
@flag(
    "--auth",
    read=text,
    metavar="NAME",
    help="let in only who gives this name and a password, which is asked for at the start",
)
@base_model(demo.MODEL)
@click.pass_obj
def ui(
    terminal: Terminal,
    *,
    adapters: Path,
    host: str,
    port: int,
    auth: str | None,
    base: BaseModel,
) -> None:
    """Check what was asked for, load the model, and serve the page until Ctrl-C."""
    check_installed()
    login = _login(host, auth)
    check_writable(adapters / "adapter.safetensors", force=True)
    with _listener(host, port) as listener:
        from imagic_lora.ui.serving.server import LOCAL, Address, open_workspace, serve

        hosts = LOCAL if host in _LOOPBACK else None
        place = Address(listener=listener, hosts=hosts, login=login)
        owned = hosts is LOCAL and login is None  # whoever looks at it is at this machine already
        choice = _choice(base, terminal) if owned else None
        with open_workspace(_loaded(base, terminal), adapters, choice) as workspace:
            terminal.tell(f"The page is at http://{_address(listener)} (Ctrl-C ends it).")
            try:
                serve(workspace, place)
            except KeyboardInterrupt:
                terminal.say("closing; a fit that runs is ended, and what it learned is kept")


def _loaded(base: BaseModel, terminal: Terminal) -> "Loaded":
    """Return a model, with what the page shows at first on it."""
    from imagic_lora.ui.models import Loaded, Welcome

    editor = base.load(terminal)
    welcome = Welcome(examples=demo.EXAMPLES, alphas=demo.ALPHAS, limits=demo.LIMITS)
    return Loaded(
        name=base.model,
        editor=editor,
        plan=_plan(base.model, editor),
        welcome=welcome if base.model == demo.MODEL else None,
    )


def _choice(base: BaseModel, terminal: Terminal) -> "Choice":
    """Return the models that the page may be changed to, each on the device of the first."""
    from imagic_lora.hub import cached_models
    from imagic_lora.models.blueprint import BLUEPRINTS
    from imagic_lora.models.checkpoint import checkpoints
    from imagic_lora.ui.models import Choice

    def named(name: str) -> BaseModel:
        same = name == base.model  # what was said of that model holds for no other
        return base if same else base.another(name)

    pipelines, files = cached_models()
    known = (*BLUEPRINTS, *pipelines, *map(str, checkpoints(files)))
    names = dict.fromkeys([base.model, demo.MODEL, *known])
    return Choice(
        names=list(names),
        load=lambda name: _loaded(named(name), terminal),
        outlook=lambda name: _needs(name, base.device),
    )


def _needs(name: str, device: str | None) -> str:
    """Return in a line what a model takes where nothing has to be saved."""
    from imagic_lora.memory import MemoryPlan
    from imagic_lora.planning.forecast import outlook
    from imagic_lora.units import gigabytes

    plan = MemoryPlan.automatic(device)
    found = outlook(name, plan)
    if found is None:
        return f"What {name} needs was not counted before."
    most = max(row["predicted_bytes"] for row in found.phases)
    return (
        f"{name} takes up to {gigabytes(most)} on {plan.device}; with less, it works more slowly."
    )


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


def _plan(model: str, editor: "ImagicEditor") -> Sequence[Sequence[str]]:
    """Return what the work will need, where that is known without counting it."""
    from imagic_lora.planning.forecast import outlook

    found = outlook(model, editor.plan)
    return [] if found is None else found.rows()
