from dataclasses import replace

import pytest
import torch

from imagic_lora import Adapter, SettingsError
from imagic_lora.adapters.compact import compact_weights
from imagic_lora.adapters.weights import Pair, Weights
from imagic_lora.conditioning import Conditioning
from tests.support.handmade import filled, made, pipeline, predict, record


def size(weights: Weights) -> int:
    """Return the bytes of some weights."""
    return sum(tensor.nbytes for tensor in weights.values())


def change(weights: Weights, path: str) -> torch.Tensor:
    """Return what a layer's LoRA adds to its weight, as a matrix."""
    pair = weights.pairs[path]
    return pair.up.double().flatten(1) @ pair.down.double().flatten(1)


def compacted(weights: Weights, max_bytes: int) -> Weights:
    """Return smaller weights, of which there are some."""
    found = compact_weights(weights, max_bytes)
    assert found is not None
    return found


def linear(rows: torch.Tensor, columns: torch.Tensor) -> Pair:
    """Return the LoRA of one layer."""
    return Pair(columns.half(), rows.half())


@pytest.fixture(scope="module")
def weights() -> Weights:
    """Give weights of attention, feed-forward and convolutions."""
    return filled(pipeline("sd1").unet)


@pytest.mark.parametrize("share", [0.9, 0.5, 0.2])
def test_the_size_is_kept_to(weights: Weights, share: float) -> None:
    """The weights take no more bytes than allowed, and nearly as many."""
    allowed = int(share * size(weights))

    found = size(compacted(weights, allowed))

    assert 0.95 * allowed < found <= allowed


def test_enough_room_changes_nothing_that_matters(weights: Weights) -> None:
    """With room for every rank, each layer adds what it added, up to half precision."""
    found = compacted(weights, size(weights))

    for path in weights.pairs:
        torch.testing.assert_close(change(weights, path), change(found, path), rtol=1e-2, atol=5e-3)


def test_a_layer_keeps_its_largest_parts() -> None:
    """What is left of a layer is the best that its rank allows (Eckart and Young)."""
    drawn = torch.Generator().manual_seed(0)
    up, down = torch.randn(20, 4, generator=drawn), torch.randn(4, 30, generator=drawn)
    whole = Weights.of({"a": linear(up, down)})

    kept = compacted(whole, size(whole) // 2)

    assert {"a": 2} == kept.ranks()
    left, values, right = torch.linalg.svd(change(whole, "a"))
    best = left[:, :2] * values[:2] @ right[:2]
    torch.testing.assert_close(best, change(kept, "a"), rtol=1e-2, atol=1e-2)


def test_room_goes_where_it_changes_the_most() -> None:
    """A layer that changes much keeps its rank; one that hardly changes is left out."""
    drawn = torch.Generator().manual_seed(0)
    up, down = torch.randn(20, 2, generator=drawn), torch.randn(2, 20, generator=drawn)
    both = Weights.of({"large": linear(10 * up, down), "small": linear(up, down)})

    assert {"large": 2} == compacted(both, size(both) // 2).ranks()


def test_a_smaller_adapter_is_near_to_the_whole(weights: Weights) -> None:
    """Nine tenths of the size change the prediction far less than leaving it out would."""
    unet = pipeline("sd1").unet

    whole, small = (
        predict(unet, weights),
        predict(unet, compacted(weights, size(weights) * 9 // 10)),
    )

    assert (whole - small).norm() < 0.6 * (whole - predict(unet)).norm()


def adapter_of(weights: Weights) -> Adapter:
    """Return an adapter with these weights."""
    tokens = Conditioning(torch.zeros(1, 24, 32).half())
    return Adapter(weights, tokens, torch.zeros(1, 4, 16, 16).half(), record())


def test_an_adapter_is_made_no_larger_than_asked(weights: Weights) -> None:
    """The file keeps to the size, is whole, and differs in the LoRA alone."""
    whole = adapter_of(weights)
    allowed = len(whole.to_bytes()) // 2

    small = whole.compact(allowed)

    assert 0.7 * allowed < len(small.to_bytes()) <= allowed
    assert small == Adapter.from_bytes(small.to_bytes())
    assert whole == replace(small, lora=whole.lora)


def test_an_adapter_that_is_small_enough_stays(weights: Weights) -> None:
    """With room for all of it, nothing is rounded."""
    whole = adapter_of(weights)

    assert whole is whole.compact(len(whole.to_bytes()))


def test_too_small_a_size_is_refused() -> None:
    """Where the embedding and the latents alone are larger, the error says how large they are."""
    with pytest.raises(SettingsError, match=r"max_bytes was 10, but \d+ bytes"):
        made().compact(10)
