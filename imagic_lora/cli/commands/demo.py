"""`imagic-lora demo`: the whole way from a picture to its edits, offline, on the bundled model."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imagic_lora.cli.flags import command, flag, force, path
from imagic_lora.cli.terminal import Terminal
from imagic_lora.demo import (
    ALPHAS,
    MODEL,
    NEXT_TARGET,
    PICTURE,
    SOURCE,
    STRENGTHS,
    TARGET,
)
from imagic_lora.errors import OutputError
from imagic_lora.files import check_writable, write_atomic
from imagic_lora.settings import EditSettings, FitSettings, SamplingSettings
from imagic_lora.units import bytes_text, seconds_text

if TYPE_CHECKING:
    from imagic_lora.adapters.adapter import Adapter
    from imagic_lora.editing.sheets import Labelled
    from imagic_lora.editor import ImagicEditor

_INPUT, _ADAPTER, _SWEEP, _REPORT = "input.png", "adapter.safetensors", "sweep.png", "report.json"


@command("demo", "fit and edit a bundled picture with a bundled model, within a minute")
@flag(
    "--out",
    read=path,
    default=Path("imagic-demo"),
    metavar="DIR",
    help="folder for what is made (default: imagic-demo)",
)
@force
@click.pass_obj
def demo(terminal: Terminal, *, out: Path, force: bool) -> None:
    """Fit the bundled picture, edit it, make the baseline, and report."""
    from imagic_lora.editing.sheets import save_sheet
    from imagic_lora.editor import ImagicEditor
    from imagic_lora.images.reading import open_image

    _check_folder(out, force=force)
    seconds: dict[str, float] = {}
    with _timed(seconds, "all"):
        with _timed(seconds, "load"):
            terminal.say(f"loading the model '{MODEL}'")
            editor = ImagicEditor.from_pretrained(MODEL)
        write_atomic(out / _INPUT, PICTURE.read_bytes(), force=force)
        with _timed(seconds, "fit"):
            adapter = editor.fit(
                PICTURE, target=TARGET, source=SOURCE, on_progress=terminal.progress()
            )
        adapter.save(out / _ADAPTER, force=force)
        with _timed(seconds, "edit"):
            edits = list(_edits(editor, adapter, terminal))
        with _timed(seconds, "img2img"):
            baseline = list(_baseline(editor, terminal))
        pictures = [*edits, *baseline]
        save_sheet(out / _SWEEP, pictures, first=open_image(PICTURE), force=force)
    report = _report(editor, adapter, seconds)
    write_atomic(out / _REPORT, dumps(report, indent=2).encode() + b"\n", force=force)
    terminal.tell(_closing_words(out, report))


def _check_folder(out: Path, *, force: bool) -> None:
    """Raise an OutputError unless everything can be written into the folder."""
    if out.is_dir() and any(out.iterdir()) and not force:
        raise OutputError(
            f"the folder '{out}' holds files already; choose another with --out, or write into "
            "this one with --force."
        )
    for name in (_INPUT, _ADAPTER, _SWEEP, _REPORT):
        check_writable(out / name, force=force)


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Write down how long a block takes."""
    began = time.monotonic()
    yield
    seconds[name] = round(time.monotonic() - began, 2)


def _edits(editor: "ImagicEditor", adapter: "Adapter", terminal: Terminal) -> Iterator["Labelled"]:
    """Yield the picture at each alpha, with its place on the sheet."""
    from imagic_lora.editing.sheets import Labelled

    for alpha in ALPHAS:
        label = f"alpha {alpha:g}"
        picture = editor.edit(adapter, alpha=alpha, on_progress=terminal.progress(label))
        yield Labelled(picture, label, f'imagic-lora: "{TARGET}"')


def _baseline(editor: "ImagicEditor", terminal: Terminal) -> Iterator["Labelled"]:
    """Yield what plain img2img makes of the same picture and prompt, with its place."""
    from imagic_lora.editing.sheets import Labelled

    for strength in STRENGTHS:
        label = f"strength {strength:g}"
        show = terminal.progress(f"img2img, {label}")
        picture = editor.img2img(PICTURE, TARGET, strength=strength, on_progress=show)
        yield Labelled(picture, label, "img2img with the same prompt")


def _report(
    editor: "ImagicEditor", adapter: "Adapter", seconds: dict[str, float]
) -> dict[str, Any]:
    """Return what was done and what it took."""
    from imagic_lora.memory import peak_bytes

    record = asdict(adapter.record)
    return {
        "steps": len(adapter.record.losses),
        "seconds": seconds,
        "peak_bytes": peak_bytes(editor.plan.device),
        "adapter_bytes": len(adapter.to_bytes()),
        "adapter_sha256": adapter.sha256,
        "seed": FitSettings().seed,
        "device": str(editor.plan.device),
        "source": SOURCE,
        "target": TARGET,
        "alphas": ALPHAS,
        "strengths": STRENGTHS,
        "fit": record["settings"],
        "edit": asdict(EditSettings()),
        "img2img": asdict(SamplingSettings()),
        "gap": record["gap"],
        "losses": record["losses"],
        "versions": record["versions"],
    }


def _closing_words(out: Path, report: dict[str, Any]) -> str:
    """Return in words what was done, where to look, and what to try next."""
    return f"""
Done in {seconds_text(report["seconds"]["all"])}:
  fitted {out / _INPUT}, captioned "{SOURCE}", in {report["steps"]} steps;
  saved what was learned as {out / _ADAPTER} ({bytes_text(report["adapter_bytes"])});
  edited it towards "{TARGET}" at {len(ALPHAS)} strengths, with no second fit;
  made {len(STRENGTHS)} pictures by plain img2img, to compare.

Look at {out / _SWEEP}
  The upper row goes from the input to the prompt and past it;
  the lower row is img2img with the same prompt.
Figures are in {out / _REPORT}

Next, another edit of the same fit:
  imagic-lora edit {out / _ADAPTER} --target "{NEXT_TARGET}" --alpha 0.7,1,1.3 -o {out / "glasses"}"""
