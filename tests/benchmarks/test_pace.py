"""How long edits take beside a plain text-to-image: what is made of the measured seconds."""

from benchmarks import figures, pace
from benchmarks.environment import describe


def case(plain: float, edit: float, following: float) -> dict[str, dict[str, float]]:
    """Return what one case took."""
    return {
        "plain": {"seconds": plain, "passes": 60},
        "edit": {"seconds": edit, "passes": 54},
        "next": {"seconds": following, "passes": 24},
    }


def test_ratios_are_those_of_each_case() -> None:
    """A case that ran while the machine was busy does not count for less or more."""
    found = pace.summary([case(1, 1.1, 0.5), case(4, 4.0, 1.6), case(2, 2.6, 1.4)])

    assert {"edit": 1.1, "next": 0.5, "cases": 3, "seconds_plain": 2} == {
        name: found[name] for name in ("edit", "next", "cases", "seconds_plain")
    }
    assert {"plain": 60, "edit": 54, "next": 24} == found["passes"]


def test_a_table_has_a_row_for_each_number_of_passes() -> None:
    """What holds a caption beside the prompt takes more of them, and is told apart."""
    rows = [pace.summary([case(1, 1.1, 0.5)]), pace.summary([case(1, 1.8, 0.9)])]
    settings = {"plain": 30, "guidance": 4.0, "edit": 12}

    text = figures.pace({"worlds": {"flow": rows}, "settings": settings, "environment": describe()})

    assert ["| flow | 1 | 54 | 24 | 1.10 | 0.50 |", "| flow | 1 | 54 | 24 | 1.80 | 0.90 |"] == (
        text.splitlines()[2:4]
    )
    assert "60 passes" in text
