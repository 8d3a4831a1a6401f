"""A caption that is taken from the target: what of it the base model sees in the picture."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.edits.scores import misread
from benchmarks.world.captions import full_caption
from benchmarks.world.drawing import draw
from benchmarks.world.judge import load_judge
from benchmarks.world.portrait import EXAMPLE, held_out_portrait
from imagic_lora import (
    EditRequest,
    EditSettings,
    FitSettings,
    ImagicEditor,
    ImagicWarning,
    Progress,
    PromptError,
    StopFit,
)
from imagic_lora.demo import PICTURE
from imagic_lora.runs.passes import counting
from tests.support.tiny import Kind

Editor = Callable[[Kind], ImagicEditor]
FEW = FitSettings(steps=2, rank=2)


@pytest.mark.parametrize(
    ("target", "gone"),
    [("a girl with a flower", "flower"), ("a girl with cat ears, at night", "night")],
)
def test_the_demo_model_tells_what_is_there_from_what_is_not(target: str, gone: str) -> None:
    """What is to be added does not stay in the caption, and what is there does."""
    editor = ImagicEditor.from_pretrained("demo")
    found = editor.caption(PICTURE, target)

    assert gone not in found
    assert found.startswith(
        target.partition(gone)[0].removesuffix("at ").removesuffix("a ").strip()
    )


def test_a_fit_without_a_caption_is_a_fit_at_the_one_it_finds(
    editor: Editor, picture: Image.Image
) -> None:
    """The caption is in the record, and giving it makes the same adapter."""
    found = editor("sd1").fit(picture, target="a cat on a mat", settings=FEW)
    assert editor("sd1").caption(picture, "a cat on a mat") == found.record.source

    given = editor("sd1").fit(
        picture, target="a cat on a mat", source=found.record.source, settings=FEW
    )
    assert found == given


def test_a_search_shows_progress_and_can_be_stopped(editor: Editor, picture: Image.Image) -> None:
    """Stopped there, the fit begins at the empty prompt, and may be stopped again."""
    seen: list[Progress] = []

    def stop(progress: Progress) -> None:
        seen.append(progress)
        if seen[-1].step == 3:
            raise StopFit

    adapter = editor("sd1").fit(
        picture, target="a cat", settings=FitSettings(steps=9, rank=2), on_progress=stop
    )

    assert ["caption"] * 3 + ["fit"] * 3 == [progress.phase for progress in seen]
    assert all(progress.loss is None for progress in seen[:3])
    assert "" == adapter.record.source
    assert 3 == len(adapter.record.losses)


def test_every_prompt_that_is_tried_is_a_step(editor: Editor, picture: Image.Image) -> None:
    """The last step is the one that was announced."""
    seen: list[Progress] = []

    editor("sdxl").caption(picture, "a cat on a mat", on_progress=seen.append)

    assert list(range(1, seen[0].steps + 1)) == [progress.step for progress in seen]


def test_a_long_target_takes_no_more_passes_than_a_fit(
    editor: Editor, picture: Image.Image
) -> None:
    """Of thirty words: a fit goes backward too, which takes twice as long as forward."""
    ours, longest = editor("sd1"), " ".join(f"word{number}" for number in range(30))

    with counting(ours.model.denoiser) as passes:
        ours.caption(picture, longest)
        searched = passes.take()
        ours.fit(picture, source="a cat", settings=FitSettings(rank=2, outweigh=0))
        fitted = passes.take()

    assert 0 < searched.forward < fitted.forward + 3 * fitted.forward_backward
    assert 0 == searched.forward_backward


def test_a_search_needs_a_target(editor: Editor, picture: Image.Image) -> None:
    """There is nothing to take a caption from."""
    with pytest.raises(PromptError, match="target is empty"):
        editor("sd1").caption(picture, " ")


def test_a_search_leaves_the_model_as_it_was(editor: Editor, picture: Image.Image) -> None:
    """Looking changes nothing."""
    before = {name: one.clone() for name, one in editor("sd1").model.denoiser.state_dict().items()}

    editor("sd1").caption(picture, "a cat")

    after = editor("sd1").model.denoiser.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


RICH, TERSE = "a cat on a red mat", "a dog"
QUICK = EditSettings(steps=2)


@pytest.mark.parametrize(
    ("target", "settings", "expected"),
    [
        (TERSE, QUICK, "a"),
        (f"{RICH}, a dog", QUICK, None),
        (TERSE, replace(QUICK, direction="interpolate"), None),
        (TERSE, replace(QUICK, negative="blurry"), None),
    ],
)
def test_an_edit_starts_at_what_target_and_caption_share(
    target: str, settings: EditSettings, expected: str | None, editor: Editor, picture: Image.Image
) -> None:
    """A target that repeats the caption, the paper's line and a negative prompt start elsewhere."""
    adapter = editor("sd1").fit(picture, source=RICH, settings=FEW)

    edit = editor("sd1").edit(adapter, target=target, settings=settings)

    assert expected == edit.shared


def test_rows_of_a_batch_start_where_they_would_alone(editor: Editor, picture: Image.Image) -> None:
    """One whose caption says more than its target, beside one whose caption does not."""
    ours = editor("sd1")
    adapters = [ours.fit(picture, source=source, settings=FEW) for source in (RICH, "a dog")]
    requests = [EditRequest(adapter=adapter, target=TERSE) for adapter in adapters]

    together = ours.edit_batch(requests, settings=QUICK)

    for request, edit in zip(requests, together, strict=True):
        alone = ours.edit(request.adapter, target=request.target, settings=QUICK)
        assert 2 >= np.abs(np.asarray(edit.image, int) - np.asarray(alone.image, int)).max()


@pytest.mark.early
def test_what_the_caption_names_and_the_prompt_does_not_stays() -> None:
    """A short prompt changes the background of a picture whose caption names all, and no more."""
    portrait, editor = held_out_portrait(EXAMPLE + 4), ImagicEditor.from_pretrained("demo")
    adapter = editor.fit(draw(portrait), source=full_caption(portrait))

    edit = editor.edit(adapter, target="a boy in the snow")

    assert () == misread(load_judge(), portrait.replace(background="snow"), edit.image)


def test_a_long_target_is_not_complained_of_at_every_look(
    editor: Editor, picture: Image.Image, recwarn: pytest.WarningsRecorder
) -> None:
    """The edit says what was cut off it; the search says nothing."""
    editor("sd1").caption(picture, "a cat " * 40)

    assert not [one for one in recwarn if issubclass(one.category, ImagicWarning)]
