"""`imagic-lora demo`: the whole way from a picture to its edits, offline, on the bundled model."""

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from imagic_lora.adapters.adapter import Adapter
from imagic_lora.cli.terminal import Terminal
from imagic_lora.editing.sheets import Labelled, save_sheet
from imagic_lora.editor import ImagicEditor
from imagic_lora.errors import OutputError
from imagic_lora.files import check_writable, write_atomic
from imagic_lora.images.reading import open_image
from imagic_lora.memory import peak_bytes
from imagic_lora.settings import EditSettings, FitSettings, SamplingSettings
from imagic_lora.units import bytes_text, seconds_text

MODEL = "demo"
PICTURE = "girl.png"
SOURCE = "a girl"
TARGET = "a girl with a flower"
NEXT_TARGET = "a girl wearing glasses"
ALPHAS = (0.0, 0.4, 0.7, 1.0, 1.3, 1.6)
STRENGTHS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
FIT = FitSettings()
EDIT = EditSettings()
IMG2IMG = SamplingSettings()

_INPUT, _ADAPTER, _SWEEP, _REPORT = "input.png", "adapter.safetensors", "sweep.png", "report.json"


def run(args: argparse.Namespace, terminal: Terminal) -> None:
    """Fit the bundled picture, edit it, make the baseline, and report."""
    out, force = args.out, args.force
    _check_folder(out, force=force)
    seconds: dict[str, float] = {}
    source = Path(str(files("imagic_lora") / "demo" / PICTURE))
    with _timed(seconds, "all"):
        with _timed(seconds, "load"):
            terminal.say(f"loading the model '{MODEL}'")
            editor = ImagicEditor.from_pretrained(MODEL)
        write_atomic(out / _INPUT, source.read_bytes(), force=force)
        with _timed(seconds, "fit"):
            adapter = editor.fit(
                source, target=TARGET, source=SOURCE, settings=FIT, on_progress=terminal.progress()
            )
        adapter.save(out / _ADAPTER, force=force)
        with _timed(seconds, "edit"):
            edits = list(_edits(editor, adapter, terminal))
        with _timed(seconds, "img2img"):
            baseline = list(_baseline(editor, source, terminal))
        save_sheet(out / _SWEEP, [*edits, *baseline], first=open_image(source), force=force)
    report = _report(editor, adapter, seconds)
    write_atomic(out / _REPORT, json.dumps(report, indent=2).encode() + b"\n", force=force)
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


def _edits(editor: ImagicEditor, adapter: Adapter, terminal: Terminal) -> Iterator[Labelled]:
    """Yield the picture at each alpha, with its place in the sweep."""
    for alpha in ALPHAS:
        label = f"alpha {alpha:g}"
        show = terminal.progress(label)
        picture = editor.edit(adapter, alpha=alpha, settings=EDIT, on_progress=show)
        yield Labelled(picture, label, f'imagic-lora: "{TARGET}"')


def _baseline(editor: ImagicEditor, image: Path, terminal: Terminal) -> Iterator[Labelled]:
    """Yield what plain img2img makes of the same picture and prompt, with its place."""
    for strength in STRENGTHS:
        label = f"strength {strength:g}"
        show = terminal.progress(f"img2img, {label}")
        picture = editor.img2img(
            image, TARGET, strength=strength, settings=IMG2IMG, on_progress=show
        )
        yield Labelled(picture, label, "img2img with the same prompt")


def _report(editor: ImagicEditor, adapter: Adapter, seconds: dict[str, float]) -> dict[str, Any]:
    """Return what was done and what it took."""
    record = asdict(adapter.record)
    return {
        "steps": len(adapter.record.losses),
        "seconds": seconds,
        "peak_bytes": peak_bytes(editor.plan.device),
        "adapter_bytes": len(adapter.to_bytes()),
        "adapter_sha256": adapter.sha256,
        "seed": FIT.seed,
        "device": str(editor.plan.device),
        "source": SOURCE,
        "target": TARGET,
        "alphas": ALPHAS,
        "strengths": STRENGTHS,
        "fit": record["settings"],
        "edit": asdict(EDIT),
        "img2img": asdict(IMG2IMG),
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
