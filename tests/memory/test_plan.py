import copy
import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import torch
from hypothesis import strategies
from PIL import Image
from torch import nn

from imagic_lora import (
    DeviceError,
    EditSettings,
    FitSettings,
    ImagicEditor,
    ImagicWarning,
    MissingExtraError,
    SettingsError,
)
from imagic_lora.fitting import fit as fitting
from imagic_lora.memory import Footprint, MemoryPlan, relieved
from imagic_lora.memory.ladder import LADDER, PHASES
from imagic_lora.memory.levers.attention import attending, check_attention
from imagic_lora.memory.levers.frozen import Stream, freeze, quantise
from imagic_lora.memory.levers.gating import gating
from imagic_lora.memory.levers.host import activations_on_host
from imagic_lora.models.loading import load_model
from imagic_lora.models.stable_diffusion import StableDiffusion
from imagic_lora.progress import ignore
from imagic_lora.seeding import generator, randn
from imagic_lora.units import parse_size
from tests.support.tiny import FLOWS, Kind, build

CPU = torch.device("cpu")
PLAN = MemoryPlan(CPU, torch.float32)
LATENTS = randn((1, 4, 16, 16), generator(0, "latents"))
FOOTPRINT = Footprint(
    "a model", {phase: [10 - rung for rung in range(len(LADDER) + 1)] for phase in PHASES}
)


def model(plan: MemoryPlan = PLAN) -> StableDiffusion:
    """Return a tiny model of its own, since rounding its weights cannot be undone."""
    pipeline = build("sd1")
    for part in (pipeline.unet, pipeline.vae, pipeline.text_encoder):
        part.requires_grad_(requires_grad=False)
    return StableDiffusion(pipeline, "tiny", plan)


def fit(plan: MemoryPlan) -> fitting.Fitted:
    """Fit a tiny model by a plan."""
    found = model(plan)
    anchor = found.encode_prompt("a dog")
    return fitting.fit(found, LATENTS, anchor, FitSettings(steps=2, rank=2), ignore)


@pytest.mark.parametrize(
    ("text", "size"),
    [("8GB", 8 * 10**9), ("7.5 GiB", 15 * 2**29), ("512mb", 512 * 10**6), (1234, 1234)],
)
def test_a_size_is_read_as_people_write_it(text: str | int, size: int) -> None:
    """GB is 10^9 bytes and GiB is 2^30, in either case, and a bare number is bytes."""
    assert size == parse_size(text)


@pytest.mark.parametrize("text", ["", "much", "8 apples", "-1GB", "0", True, "8GBGB"])
def test_what_is_no_size_is_refused(text: Any) -> None:
    """The error quotes what was given and shows what would do."""
    with pytest.raises(SettingsError, match=r"8GB|above zero"):
        parse_size(text)


@hypothesis.given(
    strategies.lists(
        strategies.integers(0, 100), min_size=len(LADDER) + 1, max_size=len(LADDER) + 1
    ),
    strategies.integers(5 * 10**8, 7 * 10**8),
    strategies.integers(0, 10**8),
)
def test_a_larger_budget_never_adds_a_lever(counts: list[int], budget: int, more: int) -> None:
    """For any footprint, the levers at a larger budget are among those at a smaller one."""
    footprint = Footprint(
        "a model", {phase: [10**6 * count for count in counts] for phase in PHASES}
    )
    try:
        smaller = MemoryPlan.for_budget(budget, footprint, PLAN)
    except DeviceError:
        return

    larger = MemoryPlan.for_budget(budget + more, footprint, PLAN)

    assert {lever.name for lever in larger.levers} <= {lever.name for lever in smaller.levers}


def test_a_budget_below_the_floor_names_the_smallest_that_would_do() -> None:
    """The named budget is then enough, with every lever pulled."""
    floor = FOOTPRINT.peak(len(LADDER))
    card = MemoryPlan(torch.device("cuda"), torch.float16)

    with pytest.raises(DeviceError, match=r"with every lever pulled it needs 0.51 GB"):
        MemoryPlan.for_budget(floor - 1, FOOTPRINT, card)
    plan = MemoryPlan.for_budget(floor, FOOTPRINT, card)

    assert LADDER == plan.levers


def test_a_cpu_has_no_use_for_the_memory_of_the_host() -> None:
    """Where device and host are one, no lever is pulled that moves things from one to the other."""
    half = dataclasses.replace(PLAN, dtype=torch.float16)
    floor = FOOTPRINT.peak(len(LADDER) - 1)

    with pytest.raises(DeviceError):
        MemoryPlan.for_budget(floor - 1, FOOTPRINT, half)
    plan = MemoryPlan.for_budget(floor, FOOTPRINT, half)

    assert ["micro-batch", "checkpointing", "tiling", "8-bit"] == [one.name for one in plan.levers]
    assert floor == max(row["predicted_bytes"] for row in plan.explain(FOOTPRINT))


def test_a_plan_explains_every_phase() -> None:
    """There is one row for each phase, with the levers that act on it and a margin on its bytes."""
    rows = PLAN.climb(LADDER[:4]).explain(FOOTPRINT)

    assert list(PHASES) == [row["name"] for row in rows]
    assert ["offload", "text streaming"] == rows[0]["levers"]
    assert ["micro-batch", "checkpointing"] == rows[2]["levers"]
    assert all(row["predicted_bytes"] > row["counted_bytes"] for row in rows)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_rounded_weights_are_within_half_a_step(dtype: torch.dtype) -> None:
    """Int8 codes times their scale are the weight, up to half a scale."""
    weight = torch.randn(16, 8, 3, 3).to(dtype)

    codes, scale = quantise(weight)

    assert torch.int8 == codes.dtype
    error = (codes.float() * scale.float() - weight.float()).abs()
    assert (error <= 0.5 * scale.float() * 1.02).all()


@pytest.mark.parametrize("store", ["8-bit", "streamed", "8-bit streamed"])
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Linear(8, 6), (2, 5, 8)),
        (nn.Linear(8, 6, bias=False), (3, 8)),
        (nn.Conv2d(4, 6, 3, padding=1, stride=2), (2, 4, 9, 9)),
    ],
)
def test_a_frozen_layer_computes_with_the_weight_that_it_stores(
    store: str, layer: nn.Module, shape: tuple[int, ...]
) -> None:
    """Output and gradient are those of an ordinary layer with the stored weight, bit for bit."""
    frozen = copy.deepcopy(layer).requires_grad_(requires_grad=False)
    plain: Any = copy.deepcopy(frozen)
    freeze(frozen, eight_bit="8-bit" in store, stream=Stream(CPU) if "streamed" in store else None)
    stored: Any = frozen
    plain.weight = nn.Parameter(stored.weight.clone(), requires_grad=False)
    ours, theirs = (torch.randn(shape, generator=torch.Generator().manual_seed(1)) for _ in "ab")
    ours.requires_grad_()
    theirs.requires_grad_()

    found, expected = frozen(ours), plain(theirs)
    found.backward(torch.ones_like(found))
    expected.backward(torch.ones_like(expected))

    assert torch.equal(expected, found)
    assert ours.grad is not None
    assert theirs.grad is not None
    assert torch.allclose(theirs.grad, ours.grad, rtol=1e-5, atol=1e-6)


def test_a_frozen_layer_saves_nothing_for_the_backward_pass() -> None:
    """The dequantised weight lives no longer than the operation that needs it."""
    layer = nn.Linear(64, 64).requires_grad_(requires_grad=False)
    freeze(layer, eight_bit=True)
    saved: list[torch.Tensor] = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        saved.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        layer(torch.randn(2, 64, requires_grad=True))

    assert [] == saved


def test_gated_activations_keep_their_input_alone_and_give_the_same_gradients() -> None:
    """Bit for bit what diffusers' own give, in every layer of a denoiser, and put back after."""
    denoiser = model().denoiser
    layers = [layer for layer in denoiser.modules() if type(layer).__name__ == "GEGLU"]
    ours, theirs = (
        torch.randn(2, 5, layers[0].proj.in_features, generator=torch.Generator().manual_seed(1))
        for _ in "ab"
    )
    expected = layers[0](theirs.requires_grad_())
    expected.backward(torch.ones_like(expected))
    saved: list[torch.Size] = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        saved.append(tensor.shape)
        return tensor

    with gating(denoiser), gating(denoiser):
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            found = layers[0](ours.requires_grad_())
        found.backward(torch.ones_like(found))

    assert torch.equal(expected, found)
    assert ours.grad is not None
    assert theirs.grad is not None
    assert torch.equal(theirs.grad, ours.grad)
    assert [layers[0].proj.out_features] == [shape[-1] for shape in saved if len(shape) == 3]
    assert not any("forward" in vars(layer) for layer in layers)


def test_activations_come_back_from_host_memory_unchanged() -> None:
    """Gradients are the same, whether what the backward pass needs was kept or sent away."""
    x, y = (torch.arange(6.0).view(2, 3).requires_grad_() for _ in "ab")
    x.exp().sin().sum().backward()  # type: ignore[no-untyped-call]

    with activations_on_host():
        loss = y.exp().sin().sum()
    loss.backward()  # type: ignore[no-untyped-call]

    assert x.grad is not None
    assert y.grad is not None
    assert torch.equal(x.grad, y.grad)


def test_streaming_changes_nothing_that_is_learned() -> None:
    """Weights fetched from host memory, with activations sent there, give the very same fit."""
    plan = dataclasses.replace(PLAN, checkpointing=True)

    expected, found = fit(plan), fit(dataclasses.replace(plan, streaming=True))

    assert expected.losses == pytest.approx(found.losses, rel=1e-5)
    for name, tensor in expected.lora.items():
        assert torch.allclose(tensor, found.lora[name], atol=1e-3)


@pytest.mark.parametrize("kind", FLOWS)
def test_streaming_text_encoders_changes_no_prompt(
    kind: Kind, folder: Callable[[Kind], Path]
) -> None:
    """Whatever reads prompts reads them as before, and keeps its weights in host memory alone."""
    plan = dataclasses.replace(PLAN, stream_text=True)
    plain, streamed = (load_model(folder(kind), each) for each in (PLAN, plan))

    expected, found = (each.encode_prompt("a dog") for each in (plain, streamed))

    torch.testing.assert_close(found.tensors(), expected.tensors())
    for ours, theirs in zip(streamed.networks.encoders, plain.networks.encoders, strict=True):
        # Neither matrices nor tables of words are left: norms and biases alone.
        assert all(each.dim() == 1 for each in ours.parameters())
        tables = [name for name in theirs.state_dict() if "embed" in name]
        assert all(torch.equal(theirs.state_dict()[n], ours.state_dict()[n]) for n in tables)


def test_rounding_changes_little_and_happens_once() -> None:
    """An 8-bit fit follows the float32 one, and its rounded base is the same before and after."""
    plan = dataclasses.replace(PLAN, eight_bit=True)
    rounded = model(plan)
    before = copy.deepcopy(rounded.denoiser.state_dict())
    anchor = rounded.encode_prompt("a dog")

    found = fitting.fit(rounded, LATENTS, anchor, FitSettings(steps=2, rank=2), ignore)

    assert fit(PLAN).losses == pytest.approx(found.losses, rel=0.02)
    after = rounded.denoiser.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert any(tensor.dtype == torch.int8 for tensor in after.values())


def test_a_fit_that_runs_out_of_memory_goes_on_with_one_more_lever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It says so, keeps the lever, and learns what it would have learned with it from the start."""
    expected = fit(PLAN)
    small = model()
    anchor = small.encode_prompt("a dog")
    predict, calls = small.predict, itertools.count(1)

    def limited(x_t: torch.Tensor, *rest: Any) -> torch.Tensor:
        if next(calls) > 8 and len(x_t) > 1:
            raise torch.OutOfMemoryError
        return predict(x_t, *rest)

    monkeypatch.setattr(small, "predict", limited)

    with pytest.warns(ImagicWarning, match="'micro-batch'"):
        found = fitting.fit(
            small, LATENTS, anchor, FitSettings(steps=8, rank=2, outweigh=0), ignore
        )

    assert 1 == small.plan.micro_batch
    assert 8 == len(found.losses)
    assert expected.losses == pytest.approx(found.losses[:2], rel=1e-4)


@pytest.mark.filterwarnings("ignore::imagic_lora.ImagicWarning")
def test_levers_are_recorded(monkeypatch: pytest.MonkeyPatch, picture: Image.Image) -> None:
    """An adapter and a picture name the levers, and which of them memory ran out for."""
    editor = ImagicEditor(model(dataclasses.replace(PLAN, checkpointing=True)))
    predict = editor.model.predict

    def limited(x_t: torch.Tensor, *rest: Any) -> torch.Tensor:
        if torch.is_grad_enabled() and len(x_t) > 1:
            raise torch.OutOfMemoryError
        return predict(x_t, *rest)

    monkeypatch.setattr(editor.model, "predict", limited)
    settings = FitSettings(steps=1, rank=2)

    adapter = editor.fit(picture, target="a cat", source="a dog", settings=settings)
    edit = editor.edit(adapter, settings=EditSettings(steps=1))

    record = adapter.record
    assert (("micro-batch", "checkpointing"), ("micro-batch",)) == (record.levers, record.relieved)
    assert (record.levers, ()) == (edit.levers, edit.relieved)


@pytest.mark.filterwarnings("ignore::imagic_lora.ImagicWarning")
def test_when_the_ladder_ends_the_error_names_what_was_tried() -> None:
    """Levers that do not help a phase are not tried."""

    def hopeless() -> None:
        raise torch.OutOfMemoryError

    with pytest.raises(
        DeviceError, match=r"'decode'.*offload, tiling, streaming\b.*smaller canvas"
    ):
        relieved(model(), "decode", hopeless)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"attention": "xformer"}, r"attention was 'xformer', allowed is .* mean 'xformers'\?"),
        ({"micro_batch": 0}, "micro_batch was 0, allowed is 1 or more"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(change: dict[str, Any], said: str) -> None:
    """A plan is checked when it is made, whoever makes it."""
    with pytest.raises(SettingsError, match=said):
        dataclasses.replace(PLAN, **change)


def test_a_kernel_that_is_not_there_is_refused_before_anything_is_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whether it comes with a plan or beside a budget."""
    monkeypatch.setattr("imagic_lora.memory.levers.attention.find_spec", lambda _: None)
    plan = dataclasses.replace(PLAN, attention="xformers")

    with pytest.raises(MissingExtraError):
        ImagicEditor.from_pretrained("demo", memory=plan)
    with pytest.raises(MissingExtraError):
        ImagicEditor.from_pretrained("demo", device="cpu", attention="xformers")


def test_xformers_without_kernels_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Built for another PyTorch it is there, and fails at its first call, on a GPU."""

    class Denoiser:
        def enable_xformers_memory_efficient_attention(self) -> None:
            raise NotImplementedError("No operator found for `memory_efficient_attention_forward`")

        def disable_xformers_memory_efficient_attention(self) -> None:
            pass

    monkeypatch.setattr("imagic_lora.memory.levers.attention.find_spec", lambda _name: True)

    with (
        pytest.raises(DeviceError, match=r"'xformers' .* has no such kernel .* attention='auto'"),
        attending(Denoiser(), "xformers", torch.device("cuda")),
    ):
        pass


def test_xformers_is_never_replaced_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for and not installed, or without a GPU, it is an error that says what would do."""
    monkeypatch.setattr("imagic_lora.memory.levers.attention.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"imagic-lora\[xformers\]"):
        check_attention("xformers", CPU)

    monkeypatch.setattr("imagic_lora.memory.levers.attention.find_spec", lambda name: name)
    with pytest.raises(DeviceError, match="attention='auto'"):
        check_attention("xformers", CPU)
