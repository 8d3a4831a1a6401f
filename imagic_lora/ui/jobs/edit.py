"""A sweep as a job: every strength of every seed, each picture kept as it lands."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from imagic_lora.adapters.adapter import Adapter
from imagic_lora.editing.picture import Edit
from imagic_lora.editor import ImagicEditor
from imagic_lora.progress import OnProgress, Progress
from imagic_lora.settings import EditSettings
from imagic_lora.ui.jobs.pictures import PictureFolder, SavedPicture
from imagic_lora.ui.jobs.queue import Job


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What one run of edits is to make.

    Attributes:
        adapter: The adapter.
        target: What to edit towards, or "" for the fit's own.
        alphas: Prompt strengths, a column each; of none, one is found for each seed.
        seeds: Seeds, a row each.
        settings: How to denoise.
        mask: An image, white where the edit may change the input, or None for everywhere.
    """

    adapter: Adapter
    target: str
    alphas: tuple[float, ...]
    seeds: tuple[int, ...]
    settings: EditSettings
    mask: Path | None = None

    @property
    def columns(self) -> int:
        """How many pictures there are of each seed."""
        return max(1, len(self.alphas))

    def __len__(self) -> int:
        return self.columns * len(self.seeds)

    def label(self, index: int) -> str:
        """Return what tells the picture of an index apart from the others."""
        row, column = divmod(index, self.columns)
        alpha = f"alpha {self.alphas[column]:g}" if self.alphas else "finding alpha"
        return f"{alpha}, seed {self.seeds[row]}"


@dataclass(frozen=True)
class SweepState:
    """How far a sweep is.

    Attributes:
        sweep: What it is to make.
        progress: The last step of the picture that is being made.
        made: What is there already.
        before: The input, to hold them against.
        files: The sheet and the archive of all, once all is there.
    """

    sweep: Sweep
    progress: Progress | None = None
    made: tuple[SavedPicture, ...] = ()
    before: Path | None = None
    files: tuple[Path, ...] = ()

    @property
    def label(self) -> str:
        """What is being made."""
        return self.sweep.label(len(self.made))


def make_sweep(editor: ImagicEditor, sweep: Sweep, folder: PictureFolder, job: Job) -> None:
    """Make one picture after another; a stop keeps those that are there.

    Args:
        editor: What makes them.
        sweep: What to make.
        folder: Where they go.
        job: What tells how far the work is.
    """
    first = editor.input_image(sweep.adapter)
    state = SweepState(sweep, before=folder.save_input(first))
    job.post(state)

    def show(progress: Progress) -> None:
        job.check()
        job.post(replace(state, progress=progress))

    try:
        for edit in _edits(editor, sweep, show):
            made = folder.save(edit, f"alpha {edit.alpha:g}", f"seed {edit.settings.seed}")
            state = replace(state, made=(*state.made, made), progress=None)
            job.post(state)
    finally:
        if state.made:
            sheet = folder.save_sheet(state.made, first)
            job.post(replace(state, files=(sheet, folder.save_all(state.made, [sheet]))))


def _edits(editor: ImagicEditor, sweep: Sweep, on_progress: OnProgress) -> Iterator[Edit]:
    """Yield the edits of a sweep as they are made."""
    given: dict[str, Any] = {"target": sweep.target, "mask": sweep.mask, "on_progress": on_progress}
    if sweep.alphas:
        yield from editor.sweep(
            sweep.adapter,
            alphas=sweep.alphas,
            seeds=sweep.seeds,
            settings=sweep.settings,
            **given,
        )
        return
    for seed in sweep.seeds:
        settings = replace(sweep.settings, seed=seed)
        yield editor.edit(sweep.adapter, alpha="auto", settings=settings, **given)
