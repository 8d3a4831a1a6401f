from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from imagic_lora import Adapter, AlphaRange, Edit, EditSettings, ImagicEditor, SettingsError
from tests.support.tiny import Kind

FEW = EditSettings(steps=2)


def made(alphas: AlphaRange, brightness: Callable[[float], float]) -> list[float]:
    """Return the strengths that are taken, in turn, where it is known how a picture changes."""

    def make(alpha: float) -> Edit:
        return Edit(
            image=Image.new("L", (8, 8), round(255 * brightness(alpha))).convert("RGB"),
            target="a cat",
            settings=FEW,
            base_model="tiny",
            fingerprint="",
            alpha=alpha,
            adapter_sha256="",
        )

    return [edit.alpha for edit in alphas.edits(make)]


def test_what_grows_steadily_is_shown_at_even_distances() -> None:
    """The middle comes first, then both ends and other middles; as many as were asked for."""
    taken = made(AlphaRange(low=0, high=2, count=5), lambda alpha: alpha / 2)

    assert [1, 2, 0] == taken[:3]
    assert [0, 0.5, 1, 1.5, 2] == sorted(taken)


@pytest.mark.parametrize("switch", [0.15, 0.62, 1.1])
def test_what_switches_is_seen_to_come(switch: float) -> None:
    """Of a picture that changes within a tenth of alpha, strengths from within are shown."""

    def brightness(alpha: float) -> float:
        return min(1.0, max(0.0, (alpha - switch) / 0.1))

    taken = made(AlphaRange(low=0, high=1.6, count=8), brightness)

    assert [alpha for alpha in taken if switch < alpha < switch + 0.1]
    assert len(set(taken)) == 8


def test_strengths_never_come_twice() -> None:
    """A picture that jumps does not draw all strengths to one place."""
    taken = made(AlphaRange(low=0, high=0.1, count=64), lambda alpha: float(alpha > 0.05))

    assert len(set(taken)) == 64


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"low": 1.6, "high": 0.4}, "wrong way round"),
        ({"low": 1.0, "high": 1.001}, "6 strengths were asked for from 1 to 1.001"),
        ({"count": 1}, "count was 1"),
        ({"high": float("nan")}, "high was nan"),
    ],
)
def test_what_cannot_be_spaced_is_refused(given: dict[str, Any], said: str) -> None:
    """Ends and count are checked before anything is made."""
    with pytest.raises(SettingsError, match=said):
        AlphaRange(**given)


def test_a_sweep_is_spaced_by_visible_change_unless_told_otherwise(
    editor: Callable[[Kind], ImagicEditor], adapter: Callable[[Kind], Adapter]
) -> None:
    """Strengths are found with the first seed, and serve the others; each picture is its edit."""
    alphas, ours = AlphaRange(low=0, high=4, count=4), editor("sd1")
    assert 6 == len(list(ours.sweep(adapter("sd1"), settings=FEW)))

    edits = list(ours.sweep(adapter("sd1"), alphas=alphas, seeds=(0, 1), settings=FEW))

    first, second = ([edit.alpha for edit in row] for row in (edits[:4], edits[4:]))
    assert [2, 4, 0] == first[:3]
    assert sorted(first) == second
    single = ours.edit(adapter("sd1"), alpha=first[-1], settings=FEW)
    assert single.image.tobytes() == edits[3].image.tobytes()
