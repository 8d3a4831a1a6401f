"""What a worker of a cluster does in its own process, and what is asked before one is started."""

import os
import pickle
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imagic_lora import (
    ImagicEditor,
    InputError,
    MissingExtraError,
    OutputError,
    WorkerSettings,
    read_jobs,
    run,
)
from imagic_lora.runs.actors import Actor
from imagic_lora.runs.cluster import Cluster, _environment, _signals
from imagic_lora.runs.events import Fitted, Outcome, Step
from imagic_lora.runs.jobs import Jobs
from tests.support.tiny import Kind

FEW = {"alpha": 1, "source": "a", "fit": {"steps": 1, "rank": 1}, "edit": {"steps": 1}}
TWO = WorkerSettings(workers=2)


@pytest.fixture
def jobs(tmp_path: Path, picture: Image.Image) -> Jobs:
    """Give two edits of one picture."""
    picture.save(tmp_path / "cat.png")
    rows: list[dict[str, Any]] = [
        {"image": "cat.png", "target": target, **FEW} for target in ("a cat", "a fox")
    ]
    return read_jobs(rows, root=tmp_path)


def test_a_worker_tells_while_it_works(
    jobs: Jobs, tmp_path: Path, editor: Callable[[Kind], ImagicEditor]
) -> None:
    """Its events can be sent, and leave the files that one process leaves."""
    name = editor("sd1").model.traits.name
    actor = Actor("worker 0", lambda: editor("sd1"), tmp_path / "out", name)
    run(jobs, tmp_path / "alone", editor("sd1"))

    ready = actor.ready()
    told = [pickle.loads(pickle.dumps(each)) for job in jobs.grouped() for each in actor.do(job)]

    assert ("worker 0", "cpu") == (ready.worker, ready.device)
    ends = [type(each) for each in told if not isinstance(each, Step)]
    assert [Fitted, Outcome, Outcome] == ends
    for row in jobs.rows:
        for name in (row.picture, row.adapter):
            alone, here = (tmp_path / place / name for place in ("alone", "out"))
            assert alone.read_bytes() == here.read_bytes()


def test_a_worker_that_cannot_write_says_so(
    jobs: Jobs, tmp_path: Path, editor: Callable[[Kind], ImagicEditor]
) -> None:
    """What ends the run reaches whoever listens."""
    (tmp_path / "out").write_bytes(b"in the way")
    actor = Actor("worker 0", lambda: editor("sd1"), tmp_path / "out", "tiny")
    actor.ready()

    with pytest.raises(OutputError):
        list(actor.do(jobs.grouped()[0]))


def test_ray_is_an_extra(jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, the error is the command that installs it."""
    monkeypatch.setitem(sys.modules, "ray", None)

    with pytest.raises(MissingExtraError, match=r"pip install 'imagic-lora\[ray\]'"):
        run(jobs, tmp_path / "out", "demo", workers=TWO)


def test_workers_share_no_editor(
    jobs: Jobs, tmp_path: Path, editor: Callable[[Kind], ImagicEditor]
) -> None:
    """Each loads the model itself, so the model is named."""
    with pytest.raises(InputError, match="give the model as a name or a path"):
        run(jobs, tmp_path / "out", editor("sd1"), workers=TWO)


def test_a_cluster_is_closed_to_others_and_leaves_no_trace() -> None:
    """A token, no usage reports; what the caller has set stays, and so does SIGTERM."""
    before, handler = dict(os.environ), signal.getsignal(signal.SIGTERM)

    with _environment(local=True), _signals():
        inside = dict(os.environ)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    assert ("token", "0") == (inside["RAY_AUTH_MODE"], inside["RAY_USAGE_STATS_ENABLED"])
    assert len(inside["RAY_AUTH_TOKEN"]) == 64
    assert (before, handler) == (dict(os.environ), signal.getsignal(signal.SIGTERM))
    with _environment(local=False):
        assert "RAY_AUTH_MODE" not in os.environ


def test_an_engine_can_be_sent(tmp_path: Path) -> None:
    """What a worker is made of travels to its process."""
    engine = Cluster(int, tmp_path, "demo", TWO)  # type: ignore[arg-type]

    assert engine == pickle.loads(pickle.dumps(engine))
