"""A run of edits as a job: every strength of every seed, each picture kept as it lands."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from imagic_lora.adapters.adapter import Adapter
from imagic_lora.editor import ImagicEditor
from imagic_lora.progress import Progress
from imagic_lora.settings import EditSettings
from imagic_lora.ui.jobs.pictures import Print, Prints
from imagic_lora.ui.jobs.queue import Job


@dataclass(frozen=True)
class Plan:
    """What one run of edits is to make.

    Attributes:
        adapter: The adapter.
        target: What to edit towards, or "" for the fit's own.
        alphas: Prompt strengths, a column each; "auto" stands for one that is found.
        seeds: Seeds, a row each.
        settings: How to denoise.
        mask: An image, white where the edit may change the input, or None for everywhere.
    """

    adapter: Adapter
    target: str
    alphas: tuple[float | Literal["auto"], ...]
    seeds: tuple[int, ...]
    settings: EditSettings
    mask: Path | None = None

    def __len__(self) -> int:
        return len(self.alphas) * len(self.seeds)


@dataclass(frozen=True)
class Editing:
    """How far a run of edits is.

    Attributes:
        total: How many pictures it is to make.
        columns: How many of them stand in a row.
        label: What is being made.
        progress: The last step of that.
        made: What is there already.
        before: The input, to hold them against.
        files: The sheet and the archive of all, once all is there.
    """

    total: int
    columns: int
    label: str = ""
    progress: Progress | None = None
    made: tuple[Print, ...] = ()
    before: Path | None = None
    files: tuple[Path, ...] = ()


def make_edits(editor: ImagicEditor, plan: Plan, prints: Prints, job: Job) -> None:
    """Make one picture after another; a stop keeps those that are there.

    Args:
        editor: What makes them.
        plan: What to make.
        prints: Where they go.
        job: What tells how far the work is.
    """
    first = editor.input_image(plan.adapter)
    state = Editing(len(plan), len(plan.alphas), before=prints.save_input(first))
    job.post(state)

    def show(progress: Progress) -> None:
        job.check()
        job.post(replace(state, progress=progress))

    try:
        for seed in plan.seeds:
            for alpha in plan.alphas:
                state = replace(state, label=f"alpha {alpha}, seed {seed}")
                picture = editor.edit(
                    plan.adapter,
                    alpha=alpha,
                    target=plan.target,
                    mask=plan.mask,
                    settings=replace(plan.settings, seed=seed),
                    on_progress=show,
                )
                made = prints.save(picture, f"alpha {picture.alpha:g}", f"seed {seed}")
                state = replace(state, made=(*state.made, made), progress=None)
                job.post(state)
    finally:
        if state.made:
            sheet = prints.save_sheet(state.made, first)
            job.post(replace(state, files=(sheet, prints.save_all(state.made, [sheet]))))
