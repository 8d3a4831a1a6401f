"""A comparison as a job: an edit, and plain img2img of the same picture with the same prompt."""

from dataclasses import dataclass, replace
from pathlib import Path

from imagic_lora.adapters.adapter import Adapter
from imagic_lora.editor import ImagicEditor
from imagic_lora.progress import Progress
from imagic_lora.settings import EditSettings, SamplingSettings, options
from imagic_lora.ui.jobs.pictures import Print, Prints
from imagic_lora.ui.jobs.queue import Job


@dataclass(frozen=True)
class Duel:
    """What one comparison is to make: an edit and a variation of the same picture.

    Attributes:
        adapter: The adapter.
        target: What to edit towards.
        alpha: Prompt strength of the edit.
        strength: Strength of img2img.
        noise: Extra noise of img2img.
        settings: How to denoise the edit.
    """

    adapter: Adapter
    target: str
    alpha: float
    strength: float
    noise: float
    settings: EditSettings

    def plain(self) -> SamplingSettings:
        """Return the settings of img2img: those that both ways share."""
        names = dict(options(SamplingSettings))
        return SamplingSettings(**{name: getattr(self.settings, name) for name in names})


@dataclass(frozen=True)
class Comparing:
    """How far a comparison is.

    Attributes:
        label: What is being made.
        progress: The last step of that.
        before: The input.
        made: What is there already: the edit, then the variation.
    """

    label: str = ""
    progress: Progress | None = None
    before: Path | None = None
    made: tuple[Print, ...] = ()


def make_both(editor: ImagicEditor, duel: Duel, prints: Prints, job: Job) -> None:
    """Make the edit, then the variation.

    Args:
        editor: What makes them.
        duel: What to make.
        prints: Where they go.
        job: What tells how far the work is.
    """
    first = editor.input_image(duel.adapter)
    state = Comparing("edit", before=prints.save_input(first))
    job.post(state)

    def show(progress: Progress) -> None:
        job.check()
        job.post(replace(state, progress=progress))

    edit = editor.edit(
        duel.adapter,
        alpha=duel.alpha,
        target=duel.target,
        settings=duel.settings,
        on_progress=show,
    )
    made = prints.save(edit, f"alpha {duel.alpha:g}", f"seed {duel.settings.seed}")
    state = replace(state, label="img2img", progress=None, made=(made,))
    job.post(state)
    variation = editor.img2img(
        first,
        duel.target,
        strength=duel.strength,
        noise=duel.noise,
        settings=duel.plain(),
        on_progress=show,
    )
    label = f"strength {duel.strength:g}, noise {duel.noise:g}"
    other = prints.save(variation, label, f"seed {duel.settings.seed}")
    job.post(replace(state, progress=None, made=(made, other)))
