"""Memory that runs out, wherever it does: relieved, or an error of ours, and never a lie."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from PIL import Image

from imagic_lora import Adapter, DeviceError, EditSettings, FitSettings, ImagicEditor, Progress
from imagic_lora.fitting import lora
from imagic_lora.memory import MemoryPlan
from imagic_lora.models.base import LatentModel
from imagic_lora.models.loading import load_model
from imagic_lora.seeding import generator, randn
from tests.support.tiny import Kind

Fitted = Callable[[Kind], Adapter]
QUICK = EditSettings(steps=1)
SHORT = FitSettings(steps=1, rank=1, batch=2)
PLAN = MemoryPlan(torch.device("cpu"), torch.float32)

pytestmark = pytest.mark.filterwarnings("ignore::imagic_lora.ImagicWarning")


@pytest.fixture
def own(folder: Callable[[Kind], Any]) -> ImagicEditor:
    """Give an editor with a model of its own, since what is pulled stays pulled."""
    return ImagicEditor(load_model(folder("sd1"), PLAN))


@contextmanager
def short_of_memory(model: LatentModel, fails: Callable[[int], bool]) -> Iterator[list[int]]:
    """Let a network of a model run out of memory in the calls, counted from 0, that a rule names."""
    calls: list[int] = []

    def call(*_: Any) -> None:
        calls.append(len(calls))
        if fails(calls[-1]):
            raise torch.OutOfMemoryError

    hooks = [network.register_forward_pre_hook(call) for network in model.networks.all()]
    # The autoencoder is called by its parts.
    parts = list(model.networks.autoencoder.children())
    hooks += [part.register_forward_pre_hook(call) for part in parts]
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def predicted(model: LatentModel) -> torch.Tensor:
    """Return what a model predicts for fixed inputs."""
    x_t = randn((1, 4, 16, 16), generator(0, "x_t"))
    return model.predict(x_t, torch.tensor([500]), model.encode_prompt("a dog"))


def works(adapter: Adapter, picture: Image.Image) -> dict[str, Callable[[ImagicEditor], Any]]:
    """Return every kind of work, as functions of an editor."""
    return {
        "fit": lambda e: e.fit(picture, source="a dog", settings=SHORT),
        "caption": lambda e: e.caption(picture, "a cat"),
        "edit": lambda e: e.edit(adapter, settings=QUICK),
        "img2img": lambda e: e.img2img(picture, "a cat", settings=QUICK),
        "find_alpha": lambda e: e.find_alpha(adapter, alphas=(1.0,), settings=QUICK),
        "pull": lambda e: e.pull(picture, "a dog", "a cat"),
        "input_image": lambda e: e.input_image(dataclasses.replace(adapter, picture=b"")),
    }


@pytest.mark.parametrize("where", ["the first call", "the last call"])
@pytest.mark.parametrize(
    "name", ["fit", "caption", "edit", "img2img", "find_alpha", "pull", "input_image"]
)
def test_one_failure_is_relieved(
    name: str, where: str, own: ImagicEditor, adapter: Fitted, picture: Image.Image
) -> None:
    """The work goes on with a lever that rounds nothing; the base predicts what it did, exactly."""
    work = works(adapter("sd1"), picture)[name]
    with short_of_memory(own.model, lambda _: False) as calls:
        work(own)
    at = 0 if where == "the first call" else len(calls) - 1
    before = predicted(own.model)

    with short_of_memory(own.model, lambda call: call == at):
        work(own)

    assert own.plan.levers
    assert not own.plan.eight_bit
    assert torch.equal(before, predicted(own.model))


def test_memory_that_runs_out_as_lora_weights_are_put_in_is_relieved(
    own: ImagicEditor, picture: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside a denoiser that fills the device there is no room for them; what was put in is not kept."""
    alone = dataclasses.replace(SHORT, batch=1)
    expected = own.fit(picture, source="a dog", settings=alone)
    inject, tries = lora.inject, []

    def short(*arguments: Any) -> None:
        inject(*arguments)
        tries.append(arguments)
        if len(tries) == 1:
            raise torch.OutOfMemoryError

    monkeypatch.setattr(lora, "inject", short)

    adapter = own.fit(picture, source="a dog", settings=alone)

    assert ["micro-batch"] == [lever.name for lever in own.plan.levers]
    assert expected.record.losses == adapter.record.losses
    assert torch.equal(expected.conditioning.tokens, adapter.conditioning.tokens)


@pytest.mark.parametrize(
    "name", ["fit", "caption", "edit", "img2img", "find_alpha", "pull", "input_image"]
)
def test_memory_that_always_runs_out_is_said(
    name: str, own: ImagicEditor, adapter: Fitted, picture: Image.Image
) -> None:
    """It ends in one sentence of ours that names what was tried."""
    with (
        short_of_memory(own.model, lambda _: True),
        pytest.raises(DeviceError, match=r"ran out of memory in the phase .*every lever pulled"),
    ):
        works(adapter("sd1"), picture)[name](own)


def test_a_plan_tells_the_truth_after_an_interrupt(
    own: ImagicEditor, adapter: Fitted, picture: Image.Image
) -> None:
    """A lever that was pulled in work that then ended stays in the plan and in the next record."""

    def leave(_: Progress) -> None:
        if own.plan.levers:
            raise KeyboardInterrupt

    with (
        short_of_memory(own.model, lambda call: call == 6),
        pytest.raises(KeyboardInterrupt),
    ):
        own.fit(picture, source="a dog", settings=FitSettings(steps=3, rank=1), on_progress=leave)

    assert own.plan == own.model.plan
    names = tuple(lever.name for lever in own.plan.levers)
    assert names
    edit = own.edit(adapter("sd1"), settings=QUICK)
    assert (names, ()) == (edit.levers, edit.relieved)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 7 bytes."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_shortage_between_two_phases_is_said(
    error: Exception, own: ImagicEditor, adapter: Fitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no lever helps, it is an error of ours all the same, on a CPU as on a GPU."""

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr("imagic_lora.editing.sampling.Start.begin", fail)

    with pytest.raises(DeviceError, match=r"ran out of memory between two phases.*smaller canvas"):
        own.edit(adapter("sd1"), settings=QUICK)


def test_another_error_is_no_shortage(
    own: ImagicEditor, adapter: Fitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug keeps its name, so that it can be found."""

    def fail(*_: Any) -> None:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr("imagic_lora.editing.sampling.Start.begin", fail)

    with pytest.raises(RuntimeError, match="shapes do not match"):
        own.edit(adapter("sd1"), settings=QUICK)
