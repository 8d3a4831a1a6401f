from benchmarks.edits.portraits import (
    FIRST,
    KINDS,
    STYLES,
    PortraitCase,
    make_case,
    make_cases,
    make_targets,
)
from benchmarks.edits.worlds import ManyTargets
from benchmarks.world.captions import full_caption, phrase
from benchmarks.world.drawing import draw
from benchmarks.world.portrait import ATTRIBUTES

CASES = [*make_cases("tune", 24), *make_cases("report", 24)]


def changed(case: PortraitCase) -> list[str]:
    """Return the attributes in which the ideal edit differs from the input."""
    return [n for n in ATTRIBUTES if getattr(case.before, n) != getattr(case.after, n)]


def test_the_ideal_edit_changes_one_attribute() -> None:
    """The ideal edit differs from the input in the named attribute alone, and looks different."""
    for case in CASES:
        assert [case.attribute] == changed(case)
        assert case.before.shift == case.after.shift
        assert case.image.tobytes() != case.ideal.tobytes()


def test_photographs_are_edited_as_drawings_are() -> None:
    """The same portraits get the same prompts, and an edit leaves light and texture alone."""
    for drawn, taken in zip(
        make_cases("tune", 8), make_cases("tune", 8, photographed=True), strict=True
    ):
        assert (drawn.source, drawn.target) == (taken.source, taken.target)
        assert drawn.image.tobytes() != taken.image.tobytes()
        assert taken.before.look is not None
        assert taken.before.look == taken.after.look


def test_the_prompt_asks_for_the_change() -> None:
    """The target names the new value and the source does not."""
    for case in CASES:
        value = getattr(case.after, case.attribute)
        asked = phrase(case.attribute, value).removeprefix("with ")

        assert asked in case.target
        assert asked not in case.source


def test_a_style_says_how_much_is_named() -> None:
    """Terse prompts name the subject and the change, full ones all, omitting ones half."""
    for case in CASES:
        named = sum(
            phrase(name, getattr(case.after, name)).removeprefix("with ") in case.target
            for name in ATTRIBUTES
        )

        assert {"terse": 2, "full": len(ATTRIBUTES), "omitting": 6}[case.style] == named
        if case.style == "full":
            assert full_caption(case.before) == case.source
        if case.style == "terse":
            assert phrase("subject", case.before.subject) == case.source


def test_every_kind_comes_in_every_style() -> None:
    """The first 24 cases have all kinds in all styles, and the first 8 all kinds."""
    assert {(k, s) for k in KINDS for s in STYLES} == {(c.kind, c.style) for c in CASES[:24]}
    assert set(KINDS) == {case.kind for case in CASES[:8]}
    assert {"arms", "head"} == {case.attribute for case in CASES if case.kind == "layout"}


def test_a_kind_suits_its_portrait() -> None:
    """Something is added where nothing is worn, removed where something is, moved from rest."""
    for case in CASES:
        if case.kind in ("add", "remove"):
            assert (case.kind == "add") == (case.before.accessory == "none")
        if case.kind == "layout":
            assert ("down", "front") == (case.before.arms, case.before.head)


def test_the_splits_have_nothing_in_common() -> None:
    """Portraits that choose settings are not those that give figures."""
    assert abs(FIRST["tune"] - FIRST["report"]) > 10_000
    assert make_case("tune", 3).before != make_case("report", 3).before
    assert make_case("tune", 3) == make_case("tune", 3)


def test_what_methods_see_is_what_is_drawn() -> None:
    """A case's pictures are those of its portraits."""
    case = CASES[0]

    assert draw(case.before).tobytes() == case.image.tobytes()
    assert draw(case.after).tobytes() == case.ideal.tobytes()


def test_targets_of_one_portrait_differ_in_what_they_change() -> None:
    """They are edits of one input, each of another kind, and what wears nothing loses nothing."""
    for index in range(8):
        edits = make_targets("report", index, 5)

        assert 5 == len({edit.kind for edit in edits}) == len({edit.name for edit in edits})
        pairs = {(one.before, one.first) for one in edits}
        assert {(edits[0].before, edits[0].target)} == pairs
        assert [[edit.attribute] for edit in edits] == [changed(edit) for edit in edits]


def test_a_suite_of_many_targets_counts_portraits() -> None:
    """Two portraits give five edits each, in order."""
    expected = [*make_targets("report", 0, 5), *make_targets("report", 1, 5)]

    assert expected == ManyTargets().cases("report", 2)
