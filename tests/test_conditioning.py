import pytest
import torch

from imagic_lora.conditioning import Conditioning, concatenate, interpolate


def conditioning(seed: int, *, pooled: bool = True) -> Conditioning:
    """Return random embeddings."""
    drawn = torch.Generator().manual_seed(seed)
    tokens = torch.randn(1, 5, 7, generator=drawn)
    return Conditioning(tokens, torch.randn(1, 3, generator=drawn) if pooled else None)


@pytest.mark.parametrize("pooled", [False, True])
def test_interpolation_is_exact_at_both_ends(*, pooled: bool) -> None:
    """Alpha 0 gives the start and alpha 1 the end, bit for bit."""
    start, end = conditioning(0, pooled=pooled), conditioning(1, pooled=pooled)

    assert interpolate(start, end, 0.0).equal(start)
    assert interpolate(start, end, 1.0).equal(end)


@pytest.mark.parametrize("alpha", [-0.5, 0.3, 0.5, 0.7, 1.5, 2.0])
def test_interpolation_follows_the_line_beyond_its_ends(alpha: float) -> None:
    """Every alpha lies on the straight line through both ends."""
    start, end = conditioning(0), conditioning(1)

    mixed = interpolate(start, end, alpha)

    torch.testing.assert_close(mixed.tokens, (1 - alpha) * start.tokens + alpha * end.tokens)
    assert start.pooled is not None
    assert end.pooled is not None
    torch.testing.assert_close(mixed.pooled, (1 - alpha) * start.pooled + alpha * end.pooled)


def test_trainable_copies_leave_the_original_alone() -> None:
    """Changing a trainable copy does not change what it was made from."""
    start = conditioning(0)
    before = start.map(torch.clone)

    copy = start.trainable()
    with torch.no_grad():
        for tensor in copy.tensors():
            tensor.add_(1)

    assert before.equal(start)
    assert all(tensor.requires_grad for tensor in copy.tensors())


def test_trainable_copies_are_float32() -> None:
    """What is optimised is float32, whatever it came from."""
    half = conditioning(0).to("cpu", torch.float16)

    assert {torch.float32} == {tensor.dtype for tensor in half.trainable().tensors()}


def test_concatenation_keeps_the_order() -> None:
    """Parts stand in the batch in the order in which they were given."""
    parts = [conditioning(seed) for seed in range(3)]

    joined = concatenate(parts)

    assert joined.pooled is not None
    for index, part in enumerate(parts):
        assert part.equal(
            Conditioning(joined.tokens[index : index + 1], joined.pooled[index : index + 1])
        )


def test_equality_sees_a_missing_pooled_embedding() -> None:
    """Two conditionings differ when only one has a pooled embedding."""
    full = conditioning(0)

    assert not full.equal(Conditioning(full.tokens))
