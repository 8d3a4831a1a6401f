from collections.abc import Mapping
from typing import Any

import peft
import pytest
import torch

from imagic_lora.fitting import lora
from imagic_lora.seeding import generator
from tests.support.tiny import build

TARGETS = ("to_q", "to_out.0", "ff.net.2", "conv1")


@pytest.fixture(scope="module")
def unet() -> Any:
    """Give a frozen tiny UNet; shared, since every test must leave it as it was."""
    return build("sd1").unet.requires_grad_(requires_grad=False)


def predict(unet: Any) -> torch.Tensor:
    """Return the UNet's output for fixed inputs."""
    fixed = generator(0, "test")
    x_t = torch.randn(1, 4, 16, 16, generator=fixed)
    tokens = torch.randn(1, 24, 32, generator=fixed)
    with torch.no_grad():
        output: torch.Tensor = unet(x_t, torch.tensor([500]), tokens).sample
    return output


def structure(unet: Any) -> list[tuple[str, int]]:
    """Return every module's path and identity, in order."""
    return [(path, id(module)) for path, module in unet.named_modules()]


def drawn(unet: Any) -> Mapping[str, torch.Tensor]:
    """Return fresh weights."""
    lora.inject(unet, TARGETS, 3, generator(0, "lora"))
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


def test_the_same_seed_gives_the_same_weights(unet: Any) -> None:
    """Fresh weights depend on the generator alone, and the global random state stays."""
    first, state = drawn(unet), torch.get_rng_state()
    torch.rand(1)
    second = drawn(unet)

    assert all(torch.equal(first[name], second[name]) for name in first)
    torch.set_rng_state(state)
    drawn(unet)
    assert torch.equal(state, torch.get_rng_state())


def test_a_caller_may_draw_in_the_meantime(unet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread that uses torch's own generator goes on with its numbers, and repeats none."""
    inject = peft.inject_adapter_in_model
    torch.manual_seed(0)
    expected = [torch.rand(3) for _ in range(3)]
    drawn: list[torch.Tensor] = []

    def and_draw(*args: Any, **kwargs: Any) -> None:
        drawn.append(torch.rand(3))
        inject(*args, **kwargs)
        drawn.append(torch.rand(3))

    monkeypatch.setattr(peft, "inject_adapter_in_model", and_draw)
    torch.manual_seed(0)
    lora.inject(unet, TARGETS, 3, generator(0, "lora"))
    lora.eject(unet)

    drawn.append(torch.rand(3))
    assert all(torch.equal(*pair) for pair in zip(expected, drawn, strict=True))


def test_read_gives_what_the_layers_hold(unet: Any) -> None:
    """The weights that are read are those of the parameters, in half precision, by layer."""
    lora.inject(unet, TARGETS, 3, generator(0, "lora"))
    try:
        held, found = lora.parameters(unet), lora.read(unet)
    finally:
        lora.eject(unet)

    assert sorted(found) == list(found)
    assert len(held) == len(found)
    assert {tuple(p.shape) for p in held} == {tuple(t.shape) for t in found.values()}
    assert {torch.float16} == {tensor.dtype for tensor in found.values()}
