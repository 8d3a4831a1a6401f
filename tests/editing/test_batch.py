from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from diffusers import EulerAncestralDiscreteScheduler
from PIL import Image

from imagic_lora import (
    Adapter,
    AdapterMismatchError,
    EditRequest,
    EditSettings,
    FitSettings,
    ImagicEditor,
    Progress,
    PromptError,
    SettingsError,
)
from imagic_lora.settings import Direction
from tests.support.handmade import filled
from tests.support.tiny import KINDS, Kind, with_scheduler

Editor = Callable[[Kind], ImagicEditor]
Fitted = Callable[[Kind], Adapter]
QUICK = EditSettings(steps=2)


def others(editor: ImagicEditor, adapter: Adapter) -> list[Adapter]:
    """Return two adapters that change the pictures a lot, of several ranks, and the given one."""
    unet, targets = editor.model.denoiser, editor.model.traits.lora_targets
    drawn = [
        replace(adapter, lora=filled(unet, rank=rank, seed=rank, targets=targets))
        for rank in (1, 3)
    ]
    return [drawn[0], adapter, drawn[1]]


def requests(adapters: list[Adapter]) -> list[EditRequest]:
    """Return a request for each of three adapters, no two alike in anything."""
    return [
        EditRequest(adapter=adapters[0], alpha=0.0, target="a horse", seed=5),
        EditRequest(adapter=adapters[1], alpha=1.5),
        EditRequest(adapter=adapters[2], alpha=-0.5, target="a dog", seed=0),
    ]


def difference(one: Image.Image, other: Image.Image) -> int:
    """Return the largest difference of brightness between two pictures, of 255."""
    return int(np.abs(np.asarray(one, int) - np.asarray(other, int)).max())


@pytest.mark.parametrize(
    ("kind", "direction"),
    [*((kind, "guided") for kind in KINDS), ("sdxl", "interpolate"), ("flux2", "interpolate")],
)
def test_a_batch_equals_its_edits_one_by_one(
    kind: Kind, direction: Direction, editor: Editor, adapter: Fitted
) -> None:
    """Each row has its own adapter, target, alpha and seed, whatever stands beside it."""
    settings = EditSettings(steps=2, direction=direction, negative="blue", seed=7)
    asked = requests(others(editor(kind), adapter(kind)))

    together = editor(kind).edit_batch(asked, settings=settings)

    for request, edit in zip(asked, together, strict=True):
        seed = settings.seed if request.seed is None else request.seed
        alone = editor(kind).edit(
            request.adapter,
            alpha=request.alpha,
            target=request.target,
            settings=replace(settings, seed=seed),
        )
        assert difference(alone.image, edit.image) <= 1
        assert alone.record() == edit.record()
    assert difference(together[0].image, together[2].image) > 8


@pytest.mark.parametrize("direction", ["guided", "interpolate"])
def test_each_prompt_of_a_batch_is_encoded_once(
    direction: Direction, editor: Editor, adapter: Fitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text encoder may have to be fetched to the device for it, so nothing is asked twice."""
    model, asked = editor("sd1").model, requests([adapter("sd1")] * 3)
    spy = Mock(wraps=model.encode_prompt)
    monkeypatch.setattr(model, "encode_prompt", spy)
    settings = replace(QUICK, direction=direction, negative="blue")

    editor("sd1").edit_batch(asked, settings=settings)

    seen = [text for call in spy.call_args_list for text in call.args]
    captions = ["a"] if direction == "guided" else []
    assert [*captions, "a cat", "a dog", "a horse", "blue"] == sorted(seen)


def test_a_row_does_not_depend_on_the_others(editor: Editor, adapter: Fitted) -> None:
    """Rows in another order are the same pictures in that order."""
    asked = requests(others(editor("sd1"), adapter("sd1")))

    forth = editor("sd1").edit_batch(asked, settings=QUICK)
    back = editor("sd1").edit_batch(asked[::-1], settings=QUICK)

    for one, other in zip(forth, reversed(back), strict=True):
        assert difference(one.image, other.image) <= 1


def test_noise_of_every_step_is_the_rows_own(editor: Editor, adapter: Fitted) -> None:
    """With a sampler that draws noise at every step, a row still equals the edit alone."""
    model = with_scheduler(EulerAncestralDiscreteScheduler)
    drawing, settings = ImagicEditor(model), replace(QUICK, scheduler="model")
    asked = requests(others(editor("sd1"), adapter("sd1")))

    together = drawing.edit_batch(asked, settings=settings)
    again = drawing.edit_batch(asked[2:], settings=settings)

    assert difference(together[2].image, again[0].image) <= 1


def test_progress_is_that_of_all_rows_together(editor: Editor, adapter: Fitted) -> None:
    """A batch makes as many steps as one edit."""
    seen: list[Progress] = []

    editor("sd1").edit_batch(
        [EditRequest(adapter=adapter("sd1"), seed=seed) for seed in (1, 2)],
        settings=QUICK,
        on_progress=seen.append,
    )

    sampled = [(p.step, p.steps) for p in seen if p.phase == "sample"]
    assert [(1, 2), (2, 2)] == sampled


def test_an_adapter_of_another_family_is_named_by_its_row(editor: Editor, adapter: Fitted) -> None:
    """One wrong adapter stops the batch before any work, and the error says which it is."""
    asked = [EditRequest(adapter=adapter(kind)) for kind in ("sd1", "sdxl")]
    steps: list[object] = []

    with pytest.raises(
        AdapterMismatchError, match=r"row 2.*tiny-sdxl.*family sdxl.*tiny-sd1.*family sd,"
    ):
        editor("sd1").edit_batch(asked, on_progress=steps.append)

    assert [] == steps


def test_a_batch_has_one_canvas(editor: Editor, adapter: Fitted, picture: Image.Image) -> None:
    """Adapters of several sizes need a size to work at; with one, they go together."""
    wide = picture.resize((64, 32))
    other = editor("sd1").fit(
        wide, source="a", target="a cat", settings=FitSettings(steps=1, rank=1)
    )
    asked = [EditRequest(adapter=fitted) for fitted in (adapter("sd1"), other)]

    with pytest.raises(SettingsError, match=r"32x32, 48x24.*width and a height"):
        editor("sd1").edit_batch(asked, settings=QUICK)
    sized = editor("sd1").edit_batch(asked, settings=replace(QUICK, width=32, height=32))

    assert [(32, 32)] * 2 == [edit.image.size for edit in sized]


def test_a_batch_is_not_empty(editor: Editor) -> None:
    """No request at all is refused."""
    with pytest.raises(SettingsError, match="at least one request"):
        editor("sd1").edit_batch([])


def test_each_row_needs_a_target(editor: Editor, adapter: Fitted) -> None:
    """An adapter that was fitted at a source alone asks for a target."""
    record = replace(adapter("sd1").record, target="")
    bare = replace(adapter("sd1"), record=record)

    with pytest.raises(PromptError, match="without a target"):
        editor("sd1").edit_batch([EditRequest(adapter=adapter("sd1")), EditRequest(adapter=bare)])


@pytest.mark.parametrize(
    ("values", "message"),
    [({"alpha": float("nan")}, "alpha was nan"), ({"seed": -1}, "seed was -1, allowed is 0")],
)
def test_a_request_is_checked_when_it_is_made(
    values: dict[str, Any], message: str, adapter: Fitted
) -> None:
    """There is no way to hold an invalid request."""
    with pytest.raises(SettingsError, match=message):
        EditRequest(adapter=adapter("sd1"), **values)


def test_an_interrupted_batch_leaves_the_model_alone(editor: Editor, adapter: Fitted) -> None:
    """An exception in a callback leaves no adapter behind (invariant 1)."""
    plain = editor("sd1").img2img(Image.new("RGB", (32, 32)), "a cat", strength=0.2)

    def interrupt(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        editor("sd1").edit_batch(
            requests(others(editor("sd1"), adapter("sd1"))), on_progress=interrupt
        )

    after = editor("sd1").img2img(Image.new("RGB", (32, 32)), "a cat", strength=0.2)
    assert plain.image.tobytes() == after.image.tobytes()
