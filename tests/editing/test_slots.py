import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel

from imagic_lora import AdapterMismatchError
from imagic_lora.adapters.weights import Pair, Weights
from imagic_lora.editing.slots import Slots
from imagic_lora.memory.levers.frozen import Stream, freeze
from tests.support.handmade import CPU, denoiser, filled, pipeline, predict_rows
from tests.support.tiny import KINDS, Kind

Tensors = dict[str, torch.Tensor]
STORES: dict[str, Callable[[Any], object]] = {
    "8-bit": lambda unet: freeze(unet, eight_bit=True),
    "streamed": lambda unet: freeze(unet, eight_bit=False, stream=Stream(CPU)),
}


@pytest.fixture
def unet() -> Any:
    """Give a frozen tiny UNet; shared, since every test must leave it as it was."""
    return pipeline("sd1").unet


def held(unet: Any, *rows: Weights) -> torch.Tensor:
    """Return the output for as many inputs as there are adapters, each with its own."""
    with Slots(unet).holding(rows, CPU):
        return predict_rows(unet, len(rows))


def by_peft(unet: Any, weights: Weights) -> torch.Tensor:
    """Return the output for one input when diffusers' and PEFT's own layers hold the weights."""
    unet.load_lora_adapter(dict(weights), prefix=None, adapter_name="theirs")
    try:
        return predict_rows(unet, 1)
    finally:
        unet.unload_lora()


def state(unet: Any) -> tuple[list[tuple[str, int, list[str]]], Tensors]:
    """Return every module's path, identity and attributes, and copies of all tensors."""
    modules = [(path, id(module), list(vars(module))) for path, module in unet.named_modules()]
    return modules, {name: tensor.clone() for name, tensor in unet.state_dict().items()}


def assert_same_state(before: Any, unet: Any) -> None:
    """Compare a UNet with what it was, bit for bit."""
    modules, tensors = state(unet)
    assert before[0] == modules
    assert list(before[1]) == list(tensors)
    assert all(torch.equal(before[1][name], tensors[name]) for name in tensors)


@pytest.mark.parametrize("kind", KINDS)
def test_a_held_adapter_does_what_peft_makes_of_it(kind: Kind) -> None:
    """One adapter, some of its layers of a smaller rank, gives the output of PEFT's own layers."""
    unet, targets = denoiser(kind)
    weights = filled(unet, targets=targets)

    theirs = by_peft(unet, weights)

    torch.testing.assert_close(theirs, held(unet, weights))
    assert not torch.allclose(predict_rows(unet, 1), theirs, atol=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_has_its_own_adapter(kind: Kind) -> None:
    """A batch of adapters of several ranks gives each row what it gets alone."""
    unet, targets = denoiser(kind)
    adapters = [filled(unet, rank=rank, seed=rank, targets=targets) for rank in (2, 5, 3)]

    together = held(unet, *adapters)

    for row, weights in enumerate(adapters):
        with Slots(unet).holding([weights], CPU):
            alone = predict_rows(unet, 3)[row]
        torch.testing.assert_close(alone, together[row])
    assert not torch.allclose(together, held(unet, *adapters[::-1]), atol=0.01)


def test_rows_repeat_as_guidance_repeats_them(unet: Any) -> None:
    """Of a batch twice as long, both halves go through the adapters in order."""
    adapters = [filled(unet, seed=seed) for seed in (1, 2)]

    with Slots(unet).holding(adapters, CPU):
        four = predict_rows(unet, 4)
    with Slots(unet).holding([*adapters, *adapters], CPU):
        expected = predict_rows(unet, 4)

    torch.testing.assert_close(expected, four)


def test_nothing_is_left_of_an_adapter(unet: Any) -> None:
    """Held one after another, adapters of any rank, layers and count act as they do alone."""
    one, large = filled(unet, seed=1), filled(unet, rank=6, seed=2)
    third = filled(unet, seed=3).pairs
    part = Weights.of({path: pair for path, pair in third.items() if "conv1" in path})
    slots = Slots(unet)

    for rows in ([large], [one], [part, large, one], [part], [large, part]):
        with slots.holding(rows, CPU):
            found = predict_rows(unet, len(rows))
        torch.testing.assert_close(held(unet, *rows), found)


def test_the_denoiser_is_as_before(unet: Any) -> None:
    """After a block, modules, their attributes and every bit are what they were (invariant 1)."""
    before, plain, weights = state(unet), predict_rows(unet, 1), filled(unet)

    assert not torch.equal(plain, held(unet, weights))

    assert_same_state(before, unet)
    assert torch.equal(plain, predict_rows(unet, 1))


def test_the_tree_stays_the_same_inside_a_block(unet: Any) -> None:
    """While an adapter is held, no module is another and no parameter is added."""
    weights, before = filled(unet), state(unet)

    with Slots(unet).holding([weights], CPU):
        modules, tensors = state(unet)

    assert [(path, one) for path, one, _ in before[0]] == [(path, one) for path, one, _ in modules]
    assert before[1].keys() == tensors.keys()


def test_an_exception_leaves_the_denoiser_as_before(unet: Any) -> None:
    """However a block ends, nothing stays."""
    weights, before = filled(unet), state(unet)

    with pytest.raises(KeyboardInterrupt), Slots(unet).holding([weights], CPU):
        raise KeyboardInterrupt

    assert_same_state(before, unet)


def test_a_block_inside_a_block_gives_back_what_was_held(unet: Any) -> None:
    """After the inner block the outer one's adapters act again, though the slots have grown."""
    outer, inner, before = filled(unet, seed=1), filled(unet, rank=5, seed=2), state(unet)
    slots = Slots(unet)

    with slots.holding([outer], CPU):
        with slots.holding([inner, inner], CPU):
            within = predict_rows(unet, 2)
        after = predict_rows(unet, 1)

    torch.testing.assert_close(held(unet, outer), after)
    torch.testing.assert_close(held(unet, inner, inner), within)
    assert_same_state(before, unet)


@pytest.mark.parametrize("store", STORES)
def test_weights_may_be_stored_in_other_ways(store: str, unet: Any) -> None:
    """Beside 8-bit and streamed weights an adapter adds what it adds to the same plain weights."""
    weights, stored, plain = filled(unet), copy.deepcopy(unet), copy.deepcopy(unet)
    STORES[store](stored)
    for path, layer in stored.named_modules():
        if "weight" not in dict(layer.named_parameters(recurse=False)) and hasattr(layer, "weight"):
            plain.get_submodule(path).weight.data.copy_(layer.weight)

    torch.testing.assert_close(held(plain, weights, weights), held(stored, weights, weights))


def test_a_lever_may_be_pulled_while_an_adapter_is_held(unet: Any) -> None:
    """A denoiser that is rounded in the middle of the work keeps its adapter."""
    weights, slots = filled(unet), Slots(rounded := copy.deepcopy(unet))

    with slots.holding([weights], CPU):
        freeze(rounded, eight_bit=True)
        inside = predict_rows(rounded, 1)

    torch.testing.assert_close(held(rounded, weights), inside)
    assert not torch.equal(inside, predict_rows(rounded, 1))


def test_slots_follow_the_denoisers_precision(unet: Any) -> None:
    """Beside bfloat16 weights the work is done in bfloat16, near to what float32 gives."""
    weights, half = filled(unet), copy.deepcopy(unet).bfloat16()

    found = held(half, weights)

    assert torch.bfloat16 == found.dtype
    torch.testing.assert_close(held(unet, weights), found.float(), rtol=0.1, atol=0.1)


def test_switching_compiles_nothing(unet: Any) -> None:
    """In a compiled denoiser, another adapter needs no compilation, and none stays behind."""
    compiled, graphs = copy.deepcopy(unet), []

    def backend(graph: Any, _: object) -> Any:
        graphs.append(graph)
        return graph.forward

    torch._dynamo.reset()
    compiled.compile(backend=backend)
    slots, plain = Slots(compiled), predict_rows(compiled, 1)
    torch.testing.assert_close(predict_rows(unet, 1), plain)
    adapters = [filled(unet, rank=rank, seed=rank) for rank in (4, 2, 3)]
    counts = []
    for weights in adapters:
        with slots.holding([weights], CPU):
            torch.testing.assert_close(held(unet, weights), predict_rows(compiled, 1))
        counts.append(len(graphs))
        assert torch.equal(plain, predict_rows(compiled, 1))

    assert [counts[0]] * 3 == counts
    assert len(graphs) == counts[0]
    torch._dynamo.reset()


def test_weights_for_a_missing_layer_are_refused(unet: Any) -> None:
    """The error names the layer, and the denoiser stays as it was."""
    weights = Weights.of({"no.such.layer": Pair(torch.zeros(2, 2), torch.zeros(2, 2))})
    before = state(unet)

    with pytest.raises(AdapterMismatchError, match=r"'no\.such\.layer'"):
        held(unet, weights)

    assert_same_state(before, unet)


def test_weights_of_another_shape_are_refused(unet: Any) -> None:
    """The error names both shapes, even in the second row, and the denoiser stays as it was."""
    good, before = filled(unet), state(unet)
    path, pair = next(item for item in good.pairs.items() if item[0].endswith("to_q"))
    out, width = pair.shape
    wide = Pair(torch.zeros(3, width + 1), pair.up)
    bad = Weights.of({**good.pairs, path: wide})

    with pytest.raises(AdapterMismatchError, match=rf"\({out}, {width + 1}\).*\({out}, {width}\)"):
        held(unet, good, bad)

    assert_same_state(before, unet)


def test_a_layer_without_weights_of_that_kind_is_refused() -> None:
    """A norm has a weight but can have no LoRA, so an adapter for one is foreign."""
    unet: Any = UNet2DConditionModel.from_config(pipeline("sd1").unet.config)
    weights = Weights.of({"conv_norm_out": Pair(torch.zeros(2, 2), torch.zeros(2, 2))})

    with pytest.raises(AdapterMismatchError, match="conv_norm_out"):
        held(unet, weights)
