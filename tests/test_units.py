import pytest

from imagic_lora.units import bytes_text, seconds_text


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (125, "2 min 5 s"), (7380, "2 h 3 min")],
)
def test_a_duration_is_told_in_words(seconds: float, expected: str) -> None:
    """Two units at most."""
    assert expected == seconds_text(seconds)


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (999, "999 bytes"),
        (157_160, "157 kB"),
        (2_140_000, "2.1 MB"),
        (23_100_000, "23 MB"),
        (999_999_999, "1000 MB"),
        (1_200_000_000, "1.2 GB"),
    ],
)
def test_a_size_is_told_in_words(count: int, expected: str) -> None:
    """Sizes have two digits or a little more."""
    assert expected == bytes_text(count)
