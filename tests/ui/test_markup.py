import pytest

from imagic_lora.ui import markup

SCRIPT = "<script>alert('x')</script><img src=x onerror=alert(1)>"


@pytest.mark.parametrize(
    "made",
    [
        markup.note(SCRIPT),
        markup.notes([SCRIPT]),
        markup.facts([(SCRIPT, SCRIPT)]),
        markup.table((SCRIPT,), [(SCRIPT,)]),
        markup.heading(SCRIPT, SCRIPT, [SCRIPT]),
        markup.bar(0.5, SCRIPT, 3),
    ],
    ids=["note", "notes", "facts", "table", "heading", "bar"],
)
def test_nothing_that_comes_from_outside_is_markup(made: str) -> None:
    """Prompts, names and errors are shown as they are written."""
    assert "<script" not in made
    assert "<img" not in made
    assert "&lt;script&gt;alert(" in made


def test_progress_tells_what_is_done_and_the_time_left() -> None:
    """One line has all that is known of a run."""
    made = markup.bar(0.15, "step 12 of 80", 34, [0.2, 0.1])

    for word in ("step 12 of 80", "34 s left", "width:15.0%", 'aria-valuenow="15"'):
        assert word in made
    assert "left" not in markup.bar(0.0, "starting", None)


def test_a_loss_goes_from_its_largest_value_to_the_ground() -> None:
    """The highest loss is at the top, 0 at the bottom, the steps evenly spread."""
    assert 'points="0.0,1.0 36.0,12.0 72.0,23.0"' in markup.spark([2.0, 1.0, 0.0])


def test_one_loss_is_no_line() -> None:
    """Nothing is drawn before there are two points."""
    assert "" == markup.spark([1.0])


@pytest.mark.parametrize(
    ("before", "expected"), [(0, "Starting"), (1, "1 job is before"), (3, "3 jobs are before")]
)
def test_who_waits_is_told_their_place(before: int, expected: str) -> None:
    """The place in the line is said in words."""
    assert expected in markup.waiting(before)


def test_settings_that_say_nothing_are_left_out() -> None:
    """What was not set is not listed."""
    values = {"width": None, "negative": "", "guidance": 4.0, "structure_lock": 0.01, "seed": 0}

    assert [("guidance", "4"), ("structure lock", "0.01"), ("seed", "0")] == (
        markup.settings_facts(values)
    )
