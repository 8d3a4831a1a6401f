import pytest

from imagic_lora import Progress
from imagic_lora.ui.jobs.course import NOWHERE, Course


def step(phase: str, number: int, steps: int, seconds: float) -> Progress:
    """Return a step of a phase."""
    return Progress(phase=phase, step=number, steps=steps, loss=None, seconds=seconds, peak_bytes=0)


def test_a_run_has_one_bar_and_one_time() -> None:
    """The share never falls from the fit to the last picture, and the time counts the pictures too."""
    now = 0.0
    course = Course(fit_steps=10, batch=4, pictures=2, steps=9, clock=lambda: now)
    # A step of the fit is as much as 3.6 denoising steps: 36 in all, with 18 that follow.
    half = course.fitting(step("fit", 5, 10, 18.0))
    assert pytest.approx([18 / 54, 36.0]) == [half.share, half.seconds_left]

    now = 100.0
    first = course.editing(step("sample", 0, 9, 0.1), 0)
    assert pytest.approx(36 / 54) == first.share
    now = 109.0
    second = course.editing(step("sample", 9, 9, 9.0), 0)
    assert pytest.approx([45 / 54, 9.0]) == [second.share, second.seconds_left]
    assert 1.0 == course.editing(None, 2).share


def test_what_cannot_be_foreseen_has_no_time() -> None:
    """A search for a caption ends when it ends."""
    course = Course(fit_steps=10, batch=4, pictures=2, steps=9)

    assert NOWHERE == course.fitting(step("caption", 3, 8, 1.0))
    assert course.editing(None, 0).seconds_left is None


def test_a_strength_that_is_found_takes_as_many_pictures_as_it_takes() -> None:
    """One is foreseen for each seed; with each more there is more to do, and the end is the end."""
    now = 100.0
    course = Course(fit_steps=0, batch=0, pictures=2, steps=10, clock=lambda: now)
    course.editing(step("sample", 0, 10, 0.0), 0)
    now = 110.0
    assert 0.5 == course.editing(step("sample", 10, 10, 1.0), 0).share
    now = 115.0
    second = course.editing(step("sample", 5, 10, 1.0), 0)
    assert pytest.approx([0.5, 15.0]) == [second.share, second.seconds_left]
    course.editing(step("sample", 10, 10, 1.0), 0)

    assert pytest.approx(2 / 3) == course.editing(None, 1).share
    assert 1.0 == course.editing(step("sample", 10, 10, 1.0), 1).share
    assert 1.0 == course.editing(None, 2).share
