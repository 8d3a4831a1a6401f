"""Fill the generated parts of the docs from the settings, the command line and the benchmarks.

    python docs/generate.py           writes them
    python docs/generate.py --check   names the pages that drifted, and exits with 1 if any did

A part stands between `<!-- generated: NAME -->` and `<!-- /generated -->`; NAME is a key of PARTS.
"""

import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks import figures as tables
from benchmarks import runs
from benchmarks.edits.figures import automatic, brief, captions, figures, reuse, search, tuning
from benchmarks.environment import RESULTS
from benchmarks.faults import figures as faults
from benchmarks.world import report
from imagic_lora.bench.tables import table
from imagic_lora.cli.main import program
from imagic_lora.errors import DeviceError
from imagic_lora.memory import MemoryPlan
from imagic_lora.memory.footprint import Footprint, footprints
from imagic_lora.memory.ladder import LADDER, PHASES
from imagic_lora.models.families import FAMILIES
from imagic_lora.settings import (
    ALPHA,
    NOISE,
    STRENGTH,
    EditSettings,
    FitSettings,
    Option,
    SamplingSettings,
    WorkerSettings,
    options,
)
from imagic_lora.units import gigabytes
from tests.support.architecture import OWNERS, ROWS
from tests.support.checkpoints import CASES

CARDS = (2, 4, 6, 8, 12)
"""Sizes of consumer cards, in GB."""

ROOT = Path(__file__).resolve().parents[1]
_PART = re.compile(r"(<!-- generated: (?P<name>[^\n]+?) -->\n).*?(<!-- /generated -->)", re.DOTALL)


def pages() -> list[Path]:
    """Return the pages that may have generated parts."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def render(text: str) -> str:
    """Return a page with its generated parts made anew.

    Args:
        text: The page as it is.

    Raises:
        KeyError: A part has a name that is not in PARTS.
    """

    def replaced(match: re.Match[str]) -> str:
        return f"{match[1]}\n{PARTS[match['name']]()}\n\n{match[3]}"

    return _PART.sub(replaced, text)


def _settings_table(kind: type) -> str:
    """Return the table of a settings class."""
    defaults = kind()
    return table(
        ("setting", "default", "allowed", "meaning"),
        (_setting_row(name, getattr(defaults, name), each) for name, each in options(kind)),
        "l",
    )


def _setting_row(name: str, default: object, described: Option) -> tuple[str, str, str, str]:
    """Return the table row of one setting."""
    free_text = isinstance(default, str) and not described.choices
    allowed = "any text" if free_text else described.range_text()
    return f"`{name}`", _value(default), allowed, described.help


def _strengths_table() -> str:
    """Return the table of the numbers that belong to one picture."""
    named = (("alpha", ALPHA), ("strength", STRENGTH), ("noise", NOISE))
    return table(
        ("argument", "allowed", "meaning"),
        ((f"`{name}`", described.range_text(), described.help) for name, described in named),
        "l",
    )


def _value(value: object) -> str:
    """Return a default as a cell."""
    return "" if value is None or value == "" else f"`{value}`"


def _commands() -> str:
    """Return a section for each command of the command line."""
    return "\n\n".join(map(_command, program.commands.values()))


def _command(command: click.Command) -> str:
    """Return the section of one command."""
    params = [param for param in command.params if param.expose_value]
    places = [param for param in params if isinstance(param, click.Argument)]
    flags = [param for param in params if isinstance(param, click.Option)]
    words = " ".join(["imagic-lora", str(command.name), *(str(param.metavar) for param in places)])
    sections = [f"## {command.name}", command.help or "", f"```sh\n{words} [options]\n```"]
    if places:
        rows = ((f"`{param.metavar}`", param.help or "") for param in places)
        sections.append(table(("argument", "meaning"), rows, "l"))
    if flags:
        sections.append(table(("option", "meaning"), map(_flag_row, flags), "l"))
    return "\n\n".join(sections)


def _flag_row(flag: click.Option) -> tuple[str, str]:
    """Return the table row of an option."""
    value = "" if flag.is_flag else f" {flag.metavar}"
    required = "; required" if flag.required else ""
    return f"`{', '.join(flag.opts)}{value}`", f"{flag.help}{required}"


def _result(name: str, written: Callable[[Any], str]) -> str:
    """Return the figures of a benchmark that has a table of its own."""
    path = RESULTS / f"{name}.json"
    return written(json.loads(path.read_text("utf-8"))) if path.exists() else "Not measured yet."


def _levers() -> str:
    """Return the table of the levers."""
    rows = (
        (
            lever.name,
            lever.help,
            ", ".join(f"{phase} {times:g}x" for phase, times in lever.slower.items()),
        )
        for lever in LADDER
    )
    return table(("Lever", "What it does", "Expected time of the phases it acts on"), rows, "l")


def _memory() -> str:
    """Return what every model needs at every rung of the ladder."""
    rows = (
        (
            model,
            name,
            *(f"{found.counted[phase][rung] / 2**30:.2f}" for phase in PHASES),
            gigabytes(found.peak(rung)),
        )
        for model, found in footprints().items()
        for rung, name in enumerate(tables.RUNGS)
    )
    return table(("Model", "Lever", *(f"{phase}, GiB" for phase in PHASES), "Budget"), rows, "l")


def _cards() -> str:
    """Return what has to be done for a fit and its edits to fit on cards of several sizes."""
    header = ("model", *(f"{size} GB card" for size in CARDS))
    rows = (
        (model, *(_on_card(found, size) for size in CARDS)) for model, found in footprints().items()
    )
    return table(header, rows, "l")


def _on_card(found: Footprint, size: int) -> str:
    """Return the last lever that a card of a size needs, or that nothing or no lever is enough."""
    try:
        levers = MemoryPlan.for_budget(size * 10**9, found).levers
    except DeviceError:
        return "too small"
    return f"up to {levers[-1].name}" if levers else "as it is"


def _families() -> str:
    """Return what files say of the families that are shipped."""
    rows = (
        (
            f"`{family.name}`",
            f"`{family.denoiser}`",
            ", ".join(f"`{each.modelspec}`" for each in family.architectures),
            ", ".join(f"`{each.kohya}`" for each in family.architectures),
        )
        for family in FAMILIES.values()
    )
    return table(("`family`", "prefix", "in modelspec", "in `ss_base_model_version`"), rows, "l")


def _imports() -> str:
    """Return the table of what may import what, from the tests that hold it."""
    owned = {
        part: sorted(package for package, owners in OWNERS.items() if part in owners)
        for part in set().union(*OWNERS.values())
    }
    rows = []
    for row, parts in enumerate(ROWS):
        packages = [
            f"{package}: `{owner}`"
            for owner, packages in sorted(owned.items())
            if owner.partition("/")[0] in parts
            for package in packages
        ]
        names = " · ".join(f"`{part}`" for part in sorted(parts))
        rows.append((str(row), names, ", ".join(packages) or "-"))
    return table(("row", "parts", "foreign packages, and who alone knows them"), rows, "l")


def _checkpoints() -> str:
    """Return what becomes of each kind of checkpoint file, as the tests try it."""
    rows = [(case.what, case.outcome.replace("\\", "")) for case in CASES]
    return table(("file", "what becomes of it"), rows, "l")


PARTS: dict[str, Callable[[], str]] = {
    "FitSettings": lambda: _settings_table(FitSettings),
    "EditSettings": lambda: _settings_table(EditSettings),
    "SamplingSettings": lambda: _settings_table(SamplingSettings),
    "WorkerSettings": lambda: _settings_table(WorkerSettings),
    "strengths": _strengths_table,
    "cli": _commands,
    "world": lambda: _result("world", report.figures),
    "world photos": lambda: _result("world-photos", report.figures),
    "world flow": lambda: _result("world-flow", report.figures),
    "edits": lambda: _result("edits", figures),
    "edits photos": lambda: _result("edits-photos", figures),
    "edits flow": lambda: _result("edits-flow", figures),
    "edits in brief": lambda: _result("edits", brief),
    "automatic": lambda: _result("automatic", automatic),
    "stress": lambda: _result("stress", automatic),
    "stress photos": lambda: _result("stress-photos", automatic),
    "stress flow": lambda: _result("stress-flow", automatic),
    "captions": lambda: _result("captions", captions),
    "captions photos": lambda: _result("captions-photos", captions),
    "captions flow": lambda: _result("captions-flow", captions),
    "reuse": lambda: _result("reuse", reuse),
    "search": lambda: _result("edits_search", search),
    "tuning": lambda: _result("edits_tuning", tuning),
    "pace": lambda: _result("pace", tables.pace),
    "switching": lambda: _result("switching", tables.switching),
    "ranks": lambda: _result("ranks", tables.ranks),
    "strength": lambda: _result("strength", tables.strength),
    "lever quality": lambda: _result("lever_quality", tables.lever_quality),
    "slowdown": lambda: _result("slowdown", tables.slowdown),
    "gpu": lambda: _result("gpu-memory", tables.gpu),
    "gpu time": lambda: _result("gpu-time", tables.gpu_time),
    "promises": lambda: _result("promises", tables.promises),
    "full size": lambda: _result("full_size", tables.full_size),
    "faults": lambda: _result("faults", faults.table_of),
    "runs": lambda: _result("runs", runs.figures),
    "levers": _levers,
    "memory": _memory,
    "cards": _cards,
    "families": _families,
    "imports": _imports,
    "checkpoints": _checkpoints,
}


def main(arguments: Sequence[str]) -> int:
    """Write or check every page; return the exit code."""
    drifted = [
        page for page in pages() if render(page.read_text("utf-8")) != page.read_text("utf-8")
    ]
    if "--check" not in arguments:
        for page in drifted:
            page.write_text(render(page.read_text("utf-8")), "utf-8")
    for page in drifted:
        print(page.relative_to(ROOT))
    return int("--check" in arguments and bool(drifted))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
