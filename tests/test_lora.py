from typing import Any

import pytest
import torch

from imagic_lora import AdapterMismatchError, lora
from imagic_lora.seeding import generator
from tests.tiny import build

TARGETS = ("to_q", "to_out.0", "ff.net.2", "conv1")


@pytest.fixture(scope="module")
def unet() -> Any:
    """Give a frozen tiny UNet; shared, since every test must leave it as it was."""
    return build("sd1").unet.requires_grad_(requires_grad=False)


def predict(unet: Any) -> torch.Tensor:
    """Return the UNet's output for fixed inputs."""
    drawn = generator(0, "test")
    x_t = torch.randn(1, 4, 16, 16, generator=drawn)
    tokens = torch.randn(1, 24, 32, generator=drawn)
    with torch.no_grad():
        output: torch.Tensor = unet(x_t, torch.tensor([500]), tokens).sample
    return output


def structure(unet: Any) -> list[tuple[str, int]]:
    """Return every module's path and identity, in order."""
    return [(path, id(module)) for path, module in unet.named_modules()]


def filled(unet: Any, rank: int = 3) -> dict[str, torch.Tensor]:
    """Return weights of a rank that change the output."""
    lora.inject(unet, TARGETS, rank, generator(0, "lora"))
    for parameter in lora.parameters(unet):
        parameter.data += 0.05
    weights = lora.read(unet)
    lora.eject(unet)
    return weights


def test_eject_is_the_inverse_of_inject(unet: Any) -> None:
    """After an eject, the module tree holds the same objects and the same bits as before."""
    before, weights = structure(unet), {k: v.clone() for k, v in unet.state_dict().items()}

    lora.inject(unet, TARGETS, 3, generator(0, "lora"))
    assert before != structure(unet)
    lora.eject(unet)

    assert before == structure(unet)
    assert not hasattr(unet, "peft_config")
    after = unet.state_dict()
    assert list(weights) == list(after)
    assert all(torch.equal(weights[name], after[name]) for name in weights)


def test_fresh_weights_change_nothing(unet: Any) -> None:
    """A LoRA that was just injected leaves the output as it was, bit for bit."""
    before = predict(unet)

    lora.inject(unet, TARGETS, 3, generator(0, "lora"))
    try:
        assert torch.equal(before, predict(unet))
    finally:
        lora.eject(unet)


def test_only_the_lora_is_trainable_and_it_is_float32() -> None:
    """In a half-precision denoiser the LoRA is float32 and alone takes gradients."""
    half = build("sd1").unet.requires_grad_(requires_grad=False).half()

    lora.inject(half, TARGETS, 3, generator(0, "lora"))

    trainable = [p for p in half.parameters() if p.requires_grad]
    assert {id(p) for p in trainable} == {id(p) for p in lora.parameters(half)}
    assert {torch.float32} == {p.dtype for p in trainable}


def test_injected_weights_act_and_then_leave(unet: Any) -> None:
    """Weights change the output for the length of the block only."""
    weights, before = filled(unet), predict(unet)

    with lora.injected(unet, weights):
        inside = predict(unet)

    assert not torch.equal(before, inside)
    assert torch.equal(before, predict(unet))


def test_injected_weights_leave_after_an_exception(unet: Any) -> None:
    """An exception inside the block leaves the denoiser as it was."""
    weights, before = filled(unet), structure(unet)

    with pytest.raises(KeyboardInterrupt), lora.injected(unet, weights):
        raise KeyboardInterrupt

    assert before == structure(unet)


def test_read_gives_back_what_was_injected(unet: Any) -> None:
    """Reading the weights inside the block gives the same names and bits."""
    weights = filled(unet)

    with lora.injected(unet, weights):
        found = lora.read(unet)

    assert list(weights) == list(found)
    assert all(torch.equal(weights[name], found[name]) for name in weights)


def test_layers_may_have_ranks_of_their_own(unet: Any) -> None:
    """An adapter whose layers differ in rank is injected with scale 1 everywhere."""
    weights = filled(unet, rank=4)
    name = next(name for name in weights if ".lora_A." in name).removesuffix(".lora_A.weight")
    padded = dict(weights)
    up, down = weights[f"{name}.lora_B.weight"], weights[f"{name}.lora_A.weight"]
    padded[f"{name}.lora_A.weight"] = torch.cat([down, torch.zeros_like(down)])
    padded[f"{name}.lora_B.weight"] = torch.cat([up, torch.zeros_like(up)], dim=1)

    with lora.injected(unet, weights):
        expected = predict(unet)
    with lora.injected(unet, padded):
        torch.testing.assert_close(expected, predict(unet))


def test_the_same_seed_gives_the_same_weights(unet: Any) -> None:
    """Fresh weights depend on the generator alone, and the global random state stays."""
    first, state = filled(unet), torch.get_rng_state()
    torch.rand(1)
    second = filled(unet)

    assert all(torch.equal(first[name], second[name]) for name in first)
    torch.set_rng_state(state)
    filled(unet)
    assert torch.equal(state, torch.get_rng_state())


def test_weights_for_a_missing_layer_are_refused(unet: Any) -> None:
    """The error names the layer, and the denoiser stays as it was."""
    weights = {f"no.such.layer.lora_{x}.weight": torch.zeros(2, 2) for x in "AB"}
    before = structure(unet)

    with (
        pytest.raises(AdapterMismatchError, match=r"'no\.such\.layer'"),
        lora.injected(unet, weights),
    ):
        pass

    assert before == structure(unet)


def test_weights_of_another_shape_are_refused(unet: Any) -> None:
    """The error names both shapes."""
    weights = filled(unet)
    name = next(name for name in weights if "to_q.lora_A" in name)
    width = weights[name].shape[1]
    weights[name] = torch.zeros(3, width + 1)

    with (
        pytest.raises(AdapterMismatchError, match=rf"\({width + 1},\).*\({width},\)"),
        lora.injected(unet, weights),
    ):
        pass
