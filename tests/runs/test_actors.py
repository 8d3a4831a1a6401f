"""A crew of actors as the loop sees it: what Ray's answers mean, by a stand-in for Ray."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from imagic_lora import ImagicEditor, ModelError, OutputError, WorkerSettings, read_jobs
from imagic_lora.runs.actors import Actors
from imagic_lora.runs.dispatch import Dispatch
from imagic_lora.runs.events import Outcome, WorkEvent
from imagic_lora.runs.jobs import Job
from tests.support.handmade import made
from tests.support.quick import QuickEditor
from tests.support.rays import LostError, StandIn

FEW = {"image": "cat.png", "alpha": 1, "source": "a"}
SETTINGS = WorkerSettings(workers=2, tries=2)


@pytest.fixture
def jobs(tmp_path: Path, picture: Image.Image) -> tuple[Job, ...]:
    """Give two fits of two edits each."""
    picture.save(tmp_path / "cat.png")
    rows = [{**FEW, "target": f"a {n}", "fit": {"seed": n // 2}} for n in range(4)]
    return read_jobs(rows, root=tmp_path).grouped()


def _done(
    ray: StandIn, jobs: tuple[Job, ...], out: Path, load: Callable[[], ImagicEditor]
) -> dict[str, tuple[str, int]]:
    """Have jobs done by two actors, and return how each row ended, and after how many tries."""
    told: list[WorkEvent] = []
    Dispatch(Actors(ray, (load, out, "tiny"), on_gpus=False), SETTINGS, told.append).do(jobs, 2)
    return {each.id: (each.status, each.tries) for each in told if isinstance(each, Outcome)}


@pytest.mark.parametrize(
    ("lost", "tries"),
    [(LostError(), 5), (LostError(preempted=True), 4)],
    ids=["died", "preempted"],
)
def test_whatever_befalls_an_actor_its_rows_are_done(
    jobs: tuple[Job, ...], tmp_path: Path, lost: LostError, tries: int
) -> None:
    """It is replaced wherever it goes, and only what it is to blame for counts as a try."""
    load = partial(QuickEditor, made())

    for moment in range(3, 8):
        ray = StandIn({moment: lost})
        ended = _done(ray, jobs, tmp_path / f"{moment}", load)

        assert {"ok"} == {status for status, _ in ended.values()}
        assert tries == sum(count for _, count in ended.values())
        assert 1 == ray.killed  # one that is out of reach for a while must not come back
        # The stand-in cannot end what it gave up, which may still be writing a file of its own.
        assert 6 == len(list((tmp_path / f"{moment}").rglob("[!.]*.*")))


def test_an_actor_is_not_restarted_behind_our_back(jobs: tuple[Job, ...], tmp_path: Path) -> None:
    """Tries are counted here, so Ray repeats nothing by itself; each has a device of its own."""
    alone, on_gpu = StandIn(), StandIn()
    made_of = (partial(QuickEditor, made()), tmp_path, "tiny")

    Actors(alone, made_of, on_gpus=False)
    Actors(on_gpu, made_of, on_gpus=True)

    never = {"max_restarts": 0, "max_task_retries": 0}
    assert ({**never, "num_cpus": 1}, {**never, "num_gpus": 1}) == (alone.options, on_gpu.options)
    assert 4 == len(_done(alone, jobs, tmp_path / "out", made_of[0]))


def test_a_model_that_cannot_be_loaded_is_the_sentence_of_the_worker(
    jobs: tuple[Job, ...], tmp_path: Path
) -> None:
    """Not Ray's account of it."""

    def missing() -> ImagicEditor:
        raise ModelError("No such model.")

    with pytest.raises(ModelError, match="No such model"), pytest.warns(match="takes no part"):
        _done(StandIn(), jobs, tmp_path / "out", missing)


def test_what_a_worker_cannot_write_reaches_the_run(jobs: tuple[Job, ...], tmp_path: Path) -> None:
    """As what it is, so that the run can end its rows."""
    full = OutputError("cannot write x: no space left on device.")

    with pytest.raises(OutputError, match="no space left"):
        _done(StandIn(), jobs, tmp_path / "out", lambda: QuickEditor(made(), failures={1: full}))
