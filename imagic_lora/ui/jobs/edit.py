"""A sweep as a job: every strength of every seed, each picture kept as it lands."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from imagic_lora.adapters.adapter import Adapter
from imagic_lora.editing.alphas import AlphaSearch
from imagic_lora.editing.picture import Edit
from imagic_lora.editing.spacing import AlphaRange
from imagic_lora.editor import ImagicEditor
from imagic_lora.progress import OnProgress, Progress
from imagic_lora.settings import EditSettings
from imagic_lora.ui.jobs.pictures import PictureFolder, SavedEdit
from imagic_lora.ui.jobs.queue import Job

_FINER = 3
"""Strengths that are made between two."""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What one run of edits is to make.

    Attributes:
        target: What to edit towards, or "" for the fit's own.
        alphas: Prompt strengths, a column each, rising, or a range in which they are found; of none,
            one is found for each seed.
        seeds: Seeds, a row each.
        settings: How to denoise.
        mask: An image, white where the edit may change the input, or None for everywhere.
        known: Pictures of it that are there already.
    """

    target: str
    alphas: tuple[float, ...] | AlphaRange
    seeds: tuple[int, ...]
    settings: EditSettings
    mask: Image.Image | None = None
    known: tuple[SavedEdit, ...] = ()

    @property
    def missing(self) -> tuple[float, ...] | AlphaRange:
        """The strengths that are to be made."""
        if isinstance(self.alphas, AlphaRange):
            return self.alphas
        there = {each.alpha for each in self.known}
        return tuple(alpha for alpha in self.alphas if alpha not in there)

    def __len__(self) -> int:
        """Return how many pictures are to be made, or how many strengths are to be found."""
        return (len(self.missing) if self.alphas else 1) * len(self.seeds)

    def ordered(self, made: Iterable[SavedEdit]) -> tuple[SavedEdit, ...]:
        """Return pictures as they stand: row by row of seeds, and by strength in each."""
        if not self.alphas:
            return tuple(made)
        rows = {seed: number for number, seed in enumerate(self.seeds)}
        return tuple(sorted(made, key=lambda each: (rows.get(each.seed, 0), each.alpha)))


@dataclass(frozen=True)
class SweepState:
    """How far a sweep is.

    Attributes:
        sweep: What it is to make.
        progress: The last step of the picture that is being made.
        made: What is there already.
        before: The input, to hold them against.
        found: What was found of strengths, a sentence for each seed.
        best: Which of those made was found.
        files: The sheet and the archive of all, once all is there.
    """

    sweep: Sweep
    progress: Progress | None = None
    made: tuple[SavedEdit, ...] = ()
    before: Path | None = None
    found: tuple[str, ...] = ()
    best: int | None = None
    files: tuple[Path, ...] = ()

    @property
    def fresh(self) -> int:
        """How many there are of what is to be made."""
        return len(self.made) - len(self.sweep.known) if self.sweep.alphas else len(self.found)

    @property
    def shown(self) -> int:
        """Which picture is shown first: what was found, or the one nearest to the prompt itself."""
        if self.best is not None:
            return self.best
        away = [abs(each.alpha - 1) for each in self.made]
        return away.index(min(away))


def finer(state: SweepState, low: float, high: float) -> Sweep:
    """Return a sweep with more strengths between two.

    Args:
        state: What was made already.
        low: One strength.
        high: Another.
    """
    step = (high - low) / (_FINER + 1)
    there = {each.alpha for each in state.made}
    between = {round(low + step * number, 4) for number in range(1, _FINER + 1)}
    return replace(state.sweep, alphas=tuple(sorted(there | between)), known=state.made)


def make_sweep(
    editor: ImagicEditor,
    adapter: Adapter,
    sweep: Sweep,
    folder: PictureFolder,
    job: Job,
    post: Callable[[SweepState], None],
) -> None:
    """Make one picture after another; a stop keeps those that are there.

    Args:
        editor: What makes them.
        adapter: The fit of the picture.
        sweep: What to make.
        folder: Where they go.
        job: What says whether to stop.
        post: Told how far the sweep is.
    """
    first = editor.input_image(adapter)
    state = SweepState(sweep, made=sweep.known, before=folder.save_input(first))
    post(state)

    def show(progress: Progress) -> None:
        job.check()
        post(replace(state, progress=progress))

    try:
        for made in _edits(editor, adapter, sweep, show):
            state = _with(state, made, folder)
            post(state)
    finally:
        if state.made:
            state = replace(state, progress=None)
            sheet = folder.save_sheet(state.made, first)
            post(replace(state, files=(sheet, folder.save_all(state.made, [sheet]))))


def _with(state: SweepState, made: Edit | AlphaSearch, folder: PictureFolder) -> SweepState:
    """Return a state with what was just made, which is written."""
    edits = (made,) if isinstance(made, Edit) else made.edits
    saved = map(folder.save_edit, edits)
    state = replace(state, made=state.sweep.ordered((*state.made, *saved)))
    if isinstance(made, Edit):
        return state
    best = len(state.made) - len(edits) + edits.index(made.best)
    said = f"Found {made.explain()}"
    return replace(
        state, found=(*state.found, said), best=best if state.best is None else state.best
    )


def _edits(
    editor: ImagicEditor, adapter: Adapter, sweep: Sweep, on_progress: OnProgress
) -> Iterator[Edit | AlphaSearch]:
    """Yield the edits of a sweep as they are made, or what a search for each seed comes to."""
    given: dict[str, Any] = {"target": sweep.target, "mask": sweep.mask, "on_progress": on_progress}
    if sweep.alphas:
        yield from editor.sweep(
            adapter, alphas=sweep.missing, seeds=sweep.seeds, settings=sweep.settings, **given
        )
        return
    for seed in sweep.seeds:
        yield editor.find_alpha(adapter, settings=replace(sweep.settings, seed=seed), **given)
