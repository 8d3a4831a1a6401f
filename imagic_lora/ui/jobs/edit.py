"""A sweep as a job: every strength of every seed, each picture kept as it lands."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from imagic_lora.adapters.adapter import Adapter
from imagic_lora.editing.alphas import AlphaSearch
from imagic_lora.editing.picture import Edit
from imagic_lora.editor import ImagicEditor
from imagic_lora.progress import OnProgress, Progress
from imagic_lora.settings import EditSettings
from imagic_lora.ui.jobs.pictures import PictureFolder, SavedPicture
from imagic_lora.ui.jobs.queue import Job

_TRIED = 5
"""Strengths that finding one takes, about."""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What one run of edits is to make.

    Attributes:
        target: What to edit towards, or "" for the fit's own.
        alphas: Prompt strengths, a column each; of none, one is found for each seed.
        seeds: Seeds, a row each.
        settings: How to denoise.
        mask: An image, white where the edit may change the input, or None for everywhere.
    """

    target: str
    alphas: tuple[float, ...]
    seeds: tuple[int, ...]
    settings: EditSettings
    mask: Image.Image | None = None

    @property
    def columns(self) -> int:
        """How many pictures there are of each seed, about where strengths are found."""
        return len(self.alphas) or _TRIED

    def __len__(self) -> int:
        return self.columns * len(self.seeds)

    def label(self, index: int) -> str:
        """Return what tells the picture of an index apart from the others."""
        row, column = divmod(index, self.columns)
        if not self.alphas:
            return f"finding a strength, seed {self.seeds[min(row, len(self.seeds) - 1)]}"
        return f"alpha {self.alphas[column]:g}, seed {self.seeds[row]}"


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
    made: tuple[SavedPicture, ...] = ()
    before: Path | None = None
    found: tuple[str, ...] = ()
    best: int | None = None
    files: tuple[Path, ...] = ()

    @property
    def label(self) -> str:
        """What is being made."""
        return self.sweep.label(len(self.made))


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
    state = SweepState(sweep, before=folder.save_input(first))
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
            sheet = folder.save_sheet(state.made, first)
            post(replace(state, files=(sheet, folder.save_all(state.made, [sheet]))))


def _with(state: SweepState, made: Edit | AlphaSearch, folder: PictureFolder) -> SweepState:
    """Return a state with what was just made, which is written."""
    edits = (made,) if isinstance(made, Edit) else made.edits
    saved = [
        folder.save(each, f"alpha {each.alpha:g}", f"seed {each.settings.seed}") for each in edits
    ]
    state = replace(state, made=(*state.made, *saved))
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
            adapter, alphas=sweep.alphas, seeds=sweep.seeds, settings=sweep.settings, **given
        )
        return
    for seed in sweep.seeds:
        yield editor.find_alpha(adapter, settings=replace(sweep.settings, seed=seed), **given)
