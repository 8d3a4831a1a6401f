"""A comparison as a job: an edit, and plain img2img of the same picture with the same prompt."""

from dataclasses import dataclass, replace
from pathlib import Path

from imagic_lora.adapters.adapter import Adapter
from imagic_lora.editor import ImagicEditor
from imagic_lora.progress import Progress
from imagic_lora.settings import EditSettings, SamplingSettings, options
from imagic_lora.ui.jobs.pictures import PictureFolder, SavedPicture
from imagic_lora.ui.jobs.queue import Job


@dataclass(frozen=True, kw_only=True)
class Comparison:
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


@dataclass(frozen=True)
class ComparisonState:
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
    made: tuple[SavedPicture, ...] = ()

    @property
    def share(self) -> float:
        """Share of both pictures that is done, 0 to 1."""
        step = self.progress.step / self.progress.steps if self.progress else 0.0
        return (len(self.made) + step) / 2


def plain(settings: EditSettings) -> SamplingSettings:
    """Return the settings of img2img: those that both ways share."""
    names = dict(options(SamplingSettings))
    given = {name: getattr(settings, name) for name in names}
    return SamplingSettings(**{name: each for name, each in given.items() if each is not None})


def make_both(editor: ImagicEditor, asked: Comparison, folder: PictureFolder, job: Job) -> None:
    """Make the edit, then the variation.

    Args:
        editor: What makes them.
        asked: What to make.
        folder: Where they go.
        job: What tells how far the work is.
    """

    def post(state: ComparisonState) -> None:
        job.post(state, state.share)

    first = editor.input_image(asked.adapter)
    state = ComparisonState("edit", before=folder.save_input(first))
    post(state)

    def show(progress: Progress) -> None:
        job.check()
        post(replace(state, progress=progress))

    edit = editor.edit(
        asked.adapter,
        alpha=asked.alpha,
        target=asked.target,
        settings=asked.settings,
        on_progress=show,
    )
    made = folder.save_edit(edit)
    state = replace(state, label="img2img", progress=None, made=(made,))
    post(state)
    variation = editor.img2img(
        first,
        asked.target,
        strength=asked.strength,
        noise=asked.noise,
        settings=plain(asked.settings),
        on_progress=show,
    )
    label = f"strength {asked.strength:g}, noise {asked.noise:g}"
    other = folder.save(variation, label, f"seed {asked.settings.seed}")
    post(replace(state, progress=None, made=(made, other)))
