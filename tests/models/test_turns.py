"""One model, several threads: everybody is answered as if alone."""

import asyncio
import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from imagic_lora import Adapter, EditSettings, FitSettings, ImagicEditor, SamplingSettings
from imagic_lora.errors import InputError
from imagic_lora.progress import Progress
from tests.support.handmade import filled
from tests.support.tiny import Kind

Editor = Callable[[Kind], ImagicEditor]
Fitted = Callable[[Kind], Adapter]
Work = Callable[[ImagicEditor], bytes]
QUICK = EditSettings(steps=2)
SHORT = FitSettings(steps=1, rank=2, batch=1)


@pytest.fixture
def works(editor: Editor, adapter: Fitted, picture: Image.Image) -> dict[str, Work]:
    """Give one of each kind of work, as a function from an editor to what comes of it.

    The edit by the adapter of the higher rank comes first: from then on the slots have their final
    size. While they are narrower, products of matrices are rounded otherwise.
    """
    fitted = adapter("sd1")
    other = Adapter(
        filled(editor("sd1").model.denoiser, rank=3, seed=1),
        fitted.conditioning,
        fitted.latents,
        fitted.record,
    )
    plain, more = SamplingSettings(steps=2), "a dog and a cat"
    return {
        "another's edit": lambda e: e.edit(other, target=more, settings=QUICK).image.tobytes(),
        "an edit": lambda e: e.edit(fitted, target=more, settings=QUICK).image.tobytes(),
        "a fit": lambda e: e.fit(
            picture, source="a dog", target="a cat", settings=SHORT
        ).to_bytes(),
        "img2img": lambda e: e.img2img(picture, "a cat", settings=plain).image.tobytes(),
    }


def test_threads_are_answered_as_if_alone(editor: Editor, works: dict[str, Work]) -> None:
    """Edits, fits and baselines at the same time come out as one after the other."""
    ours = editor("sd1")
    expected = [work(ours) for work in works.values()]

    with ThreadPoolExecutor(len(works)) as pool:
        found = list(pool.map(lambda work: work(ours), works.values()))

    assert expected == found
    assert expected == [work(ours) for work in works.values()]


def test_two_editors_of_one_model_take_turns(editor: Editor, works: dict[str, Work]) -> None:
    """What takes turns is the model, not the editor."""
    editors = [editor("sd1"), ImagicEditor(editor("sd1").model)]
    pair = [works["another's edit"], works["an edit"]]
    jobs = [(work, of) for work in pair for of in editors]
    expected = [work(of) for work, of in jobs]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda job: job[0](job[1]), jobs))

    assert expected == found


def test_a_web_handler_may_hand_edits_to_threads(editor: Editor, works: dict[str, Work]) -> None:
    """asyncio.to_thread gives each caller their own picture."""
    pair = [works["an edit"], works["another's edit"]]
    expected = [work(editor("sd1")) for work in pair]

    async def handle() -> list[bytes]:
        return await asyncio.gather(
            *(asyncio.to_thread(partial(work, editor("sd1"))) for work in pair)
        )

    assert expected == asyncio.run(handle())


def test_a_copy_of_a_model_works_by_itself(editor: Editor) -> None:
    """It has a lock of its own: whoever holds one model does not hold up the other."""
    model = editor("sd1").model

    other = copy.deepcopy(model)

    with model.lock, ThreadPoolExecutor(1) as pool:
        assert other.encode_prompt("a dog").equal(
            pool.submit(ImagicEditor(other).model.encode_prompt, "a dog").result(60)
        )


def test_nothing_is_left_in_the_model(editor: Editor, works: dict[str, Work]) -> None:
    """After threads are done, no layer has another's forward, and none is trained."""
    ours = editor("sd1")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda work: work(ours), works.values()))

    layers = list(ours.model.denoiser.modules())
    assert not [layer for layer in layers if "forward" in vars(layer)]
    assert not [p for p in ours.model.denoiser.parameters() if p.requires_grad]


def test_a_picture_is_the_same_whatever_was_held_before(
    folder: Callable[[Kind], Path], works: dict[str, Work]
) -> None:
    """An adapter of a larger rank leaves no trace in the edits that follow, not even of rounding."""
    fresh = ImagicEditor.from_pretrained(folder("sd1"))
    expected = works["an edit"](fresh)
    large = filled(fresh.model.denoiser, rank=40, seed=2)
    with fresh._slots.holding([large, large], fresh.plan.device):
        pass

    assert expected == works["an edit"](fresh)


@pytest.mark.parametrize("name", ["an edit", "a fit", "img2img"])
def test_nothing_is_done_with_a_model_in_the_middle_of_its_fit(
    name: str, editor: Editor, works: dict[str, Work], picture: Image.Image
) -> None:
    """What is learned is in it then; the fit's own callback is told so, and the model stays right."""
    ours = editor("sd1")
    expected = works[name](ours)

    def more(_: Progress) -> None:
        works[name](ours)

    with pytest.raises(InputError, match="in the middle of a fit"):
        ours.fit(picture, source="a dog", settings=SHORT, on_progress=more)

    assert expected == works[name](ours)
