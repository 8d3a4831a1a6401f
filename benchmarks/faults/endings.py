"""Commands that are killed or interrupted, and disks that fill up: no file is lost or half-written."""

import json
import multiprocessing
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import torch

from benchmarks.faults.stage import Stage
from benchmarks.faults.tally import Tally
from imagic_lora import Adapter
from imagic_lora.adapters.keeping import keep
from imagic_lora.cli.main import main
from imagic_lora.errors import OutputError
from imagic_lora.images.reading import open_image

_LONGEST = 300.0
"""Seconds after which a command counts as hanging."""

_UNKNOWN = 99
_ROWS = 2
"""Rows of the file that is run."""

_SAVE, _SAVES = "save", 40
"""What stands for a program that saves an adapter, and how many times it does."""

_SIGNALS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_CODES = {signal.SIGKILL: {-9}, signal.SIGINT: {130}, signal.SIGTERM: {143, -15}}
_CALLS = ("fsync", "link", "replace", "open", "mkdir")


def kills(stage: Stage, seed: int, count: int) -> Tally:
    """Kill, interrupt and end programs at random moments, and look at what is left."""
    random, tally, commands = Random(seed), Tally(), _commands(stage)
    with TemporaryDirectory(dir=stage.folder) as folder:
        made = {name: Path(folder) / name / _output(words) for name, words in commands.items()}
        seconds = _durations(commands, made)
        for number in range(count):
            name, sent = random.choice(list(commands)), random.choice(_SIGNALS)
            former = random.random() < 0.5
            label = f"{sent.name} {seed}/{number} of {name}, {'former' if former else 'new'} file"
            moment = random.uniform(0, 1.1 * seconds[name])
            with TemporaryDirectory(dir=stage.folder) as place:
                out = Path(place) / made[name].name
                words = [*commands[name], "-o", out.name]
                if former:
                    _copy(made[name], out)
                    words += ["--force"] if name != "run" else []
                code = _killed(out.parent, words, sent, moment)
                known = code in _CODES.get(sent, {129, -1}) | {0}
                right = known and _sound(out.parent, out, former=former)
                tally.judge(f"{label}: exit code {code}", right=right)
                _look_after(stage, label, words, out, tally)
    return tally


def _copy(made: Path, out: Path) -> None:
    """Lay down what a command made before; of a run, all but its last picture."""
    if made.is_dir():
        shutil.copytree(made, out)
        (out / "pictures" / "00002.png").unlink()
    else:
        shutil.copyfile(made, out)


def _look_after(stage: Stage, label: str, words: list[str], out: Path, tally: Tally) -> None:
    """Note a fault unless what comes after clears up, and a run that is given again gets done."""
    if words[0] == "run":
        code = _ended(_started(words, out.parent))
        pictures = list((out / "pictures").glob("*.png"))
        if code != 0 or len(pictures) != _ROWS or not all(map(_whole, _kept_in(out))):
            tally.fault(f"{label}: given again, it ends with {code}")
    stage.adapter.save(out.with_name("next.safetensors"))
    if list(out.parent.rglob(".*.part")):
        tally.fault(f"{label}: an unfinished file stays")


def _commands(stage: Stage) -> dict[str, list[str]]:
    """Return commands by name, but for where they write to."""
    adapter, picture = stage.folder / "sound.safetensors", stage.folder / "picture.png"
    stage.adapter.save(adapter, force=True)
    stage.picture.save(picture)
    quick = {"image": picture.name, "fit.steps": 1, "fit.rank": 1, "fit.batch": 1}
    quick |= {"edit.steps": 2, "edit.focus": 0}
    rows = [{**quick, "source": "a dog", "target": f"a {n}", "alpha": 1} for n in range(_ROWS)]
    jobs = stage.folder / "jobs.jsonl"
    jobs.write_text("\n".join(map(json.dumps, rows)))
    model = ["--model", str(stage.model), "--device", "cpu"]
    short = ["--steps", "4", "--batch", "1", "--rank", "1", "--outweigh", "0"]
    return {
        "fit": ["fit", str(picture), "--source", "a dog", *short, *model],
        "edit": ["edit", str(adapter), "--alpha", "1", "--steps", "2", "--focus", "0", *model],
        "run": ["run", str(jobs), *model],
        "export": ["export", str(adapter), "--to", "kohya"],
        "save": [_SAVE, str(adapter)],
    }


def _durations(commands: Mapping[str, list[str]], made: Mapping[str, Path]) -> dict[str, float]:
    """Return how many seconds commands take that write each to a file or folder of its own."""
    found = {}
    for name in ("save", *commands):  # the first one waits for the server of processes
        made[name].parent.mkdir(exist_ok=True)
        began = time.monotonic()
        _ended(_started([*commands[name], "-o", made[name].name], made[name].parent))
        found[name] = time.monotonic() - began
    return found


def _output(words: Sequence[str]) -> str:
    return {"edit": "out.png", "run": "out"}.get(words[0], "out.safetensors")


def _killed(folder: Path, words: list[str], sent: signal.Signals, moment: float) -> int | None:
    """Start a command, send it a signal some seconds later, and return its exit code."""
    child = _started(words, folder)
    time.sleep(moment)
    with suppress(ProcessLookupError):
        os.kill(child.pid or 0, sent)
    return _ended(child)


def _sound(folder: Path, out: Path, *, former: bool) -> bool:
    """Return whether nothing is half-written, nothing lost, and no error unexplained."""
    log = (folder / "log").read_text(errors="replace") if (folder / "log").exists() else ""
    stands = not former or (out / "pictures" / "00001.png" if out.suffix == "" else out).exists()
    return "Traceback" not in log and all(map(_whole, _kept_in(folder))) and stands


def _kept_in(folder: Path) -> list[Path]:
    """Return the adapters and pictures under a folder; hidden files are unfinished ones."""
    found = [path for path in folder.rglob("[!.]*") if path.suffix in (".safetensors", ".png")]
    return sorted(found)


def _started(words: list[str], folder: Path) -> Any:
    """Return a process that has just begun to run a command in a folder.

    It is forked from one in which all is imported and nothing was done yet, so that it begins at
    once.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.faults.endings", "diffusers", "peft"])
    begun, telling = context.Pipe(duplex=False)
    child = context.Process(target=_command, args=(words, folder, telling))
    child.start()
    begun.recv()
    return child


def _command(words: list[str], folder: Path, telling: Any) -> None:
    """Run a command in this process, which ends with its exit code."""
    code = _UNKNOWN
    try:
        torch.set_num_threads(1)
        os.chdir(folder)
        log = os.open("log", os.O_WRONLY | os.O_CREAT)
        os.dup2(log, 1)
        os.dup2(log, 2)
        sys.stdout, sys.stderr = (open(fd, "w", closefd=False) for fd in (1, 2))  # noqa: SIM115
        signal.signal(signal.SIGINT, signal.default_int_handler)
        telling.send(None)
        code = _saved(words) if words[0] == _SAVE else main(words)
        sys.stdout.flush()
    except BaseException:  # noqa: BLE001  whatever escapes the program is a fault
        if code == _UNKNOWN:
            traceback.print_exc()
            sys.stderr.flush()
    finally:
        os._exit(code)


def _saved(words: Sequence[str]) -> int:
    """Save an adapter again and again."""
    with suppress(KeyboardInterrupt):
        adapter = Adapter.load(words[1])
        for _ in range(_SAVES):
            adapter.save(words[words.index("-o") + 1], force=True)
        return 0
    return 128 + signal.SIGINT


def _ended(child: Any) -> int | None:
    """Return a process's exit code, or None where it hangs."""
    child.join(_LONGEST)
    code: int | None = child.exitcode
    if code is None:
        child.kill()
        child.join()
    return code


def _whole(path: Path) -> bool:
    """Return whether a file can be read."""
    try:
        if path.suffix == ".png":
            return open_image(path) is not None
        data = path.read_bytes()
        return b'"imagic_lora"' not in data[:100_000] or Adapter.from_bytes(data) is not None
    except Exception:  # noqa: BLE001  then it is not
        return False


def disks(stage: Stage, seed: int, count: int) -> Tally:
    """Let a disk be full at one of the calls that write: what was learned is kept somewhere."""
    random, tally, adapter = Random(seed), Tally(), stage.adapter
    for number in range(count):
        name, at, former = random.choice(_CALLS), random.randrange(3), random.random() < 0.5
        with TemporaryDirectory(dir=stage.folder) as made:
            out = Path(made) / "deep" / "out.safetensors"
            if former:
                out.parent.mkdir()
                out.write_bytes(b"former")
            with _full(name, at), mock.patch.dict(os.environ, {"HOME": made}):
                said = _kept(adapter, out, force=former)
            found = [path for path in Path(made).rglob("*.safetensors") if _whole(path)]
            right = out in found or (said and bool(found))
            if former:
                right = right and (out in found or out.read_bytes() == b"former")
            right = right and not list(Path(made).rglob(".*.part"))
            tally.judge(f"full disk {seed}/{number} at {name} {at}", right=right)
    return tally


def _kept(adapter: Adapter, out: Path, *, force: bool) -> bool:
    """Save a finished fit, and return whether it was said that it lies elsewhere."""
    try:
        keep(adapter, out, force=force)
    except OutputError as error:
        return "instead" in str(error)
    return False


@contextmanager
def _full(name: str, at: int) -> Iterator[None]:
    """Let one call of a kind, counted from 0, fail as on a full disk."""
    owner = os if name in ("fsync", "link") else Path
    real, calls = getattr(owner, name), iter(range(10**6))

    def call(*args: object, **kwargs: object) -> object:
        if next(calls) == at:
            raise OSError(28, "No space left on device")
        return real(*args, **kwargs)

    with mock.patch.object(owner, name, call):
        yield
