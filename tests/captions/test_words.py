import pytest

from imagic_lora.captions.words import (
    finer,
    in_common,
    lacking,
    leaves_out,
    longest_of_the_likely,
    most_finer,
    parts_of,
    says_more,
)


def test_parts_leave_out_one_run_of_words() -> None:
    """Everything is there that is shared with a prompt that has other words in one place."""
    parts = parts_of("a girl with a hat, in a meadow")

    assert {"", "a girl", "a girl, in a meadow", "a girl with a hat", "in a meadow"} <= {
        part.replace("girl in", "girl, in") for part in parts
    }
    assert "a girl with a hat, in a meadow" not in parts
    assert len(parts) == len(set(parts))


def test_parts_of_a_long_prompt_are_not_many() -> None:
    """However long it is, as many are tried: pieces of several words take the place of words."""
    words = [str(number) for number in range(600)]
    counts = {length: len(parts_of(" ".join(words[:length]))) for length in (10, 30, 100, 600)}

    assert counts[10] == counts[30] == counts[100] == counts[600] < 50


@pytest.mark.parametrize("length", [3, 10, 11, 30, 57])
def test_finer_parts_leave_out_a_little_more_or_less(length: int) -> None:
    """One end of the run moves within a piece; a prompt whose pieces are words has none."""
    words = [str(number) for number in range(length)]
    prompt, size = " ".join(words), -(-length // 10)

    for run in parts_of(prompt).values():
        found = finer(prompt, run)
        assert len(found) <= most_finer(prompt) == 4 * (size - 1)
        for text, (start, end) in found.items():
            assert " ".join(words[:start] + words[end:]) == text
            moved = abs(start - run[0]), abs(end - run[1])
            assert min(moved) == 0 < max(moved) < size


@pytest.mark.parametrize(
    ("caption", "target", "expected"),
    [
        (
            "A girl with red hair, in red clothes",
            "a girl with red hair, in blue clothes",
            "a girl with red hair, in clothes",
        ),
        ("a girl with cat ears, at sunset", "a girl in the snow.", "a girl"),
        ("a kitten", "dogs", ""),
        ("a girl with cat ears", "a girl with a flower", "a girl with"),
    ],
)
def test_what_two_prompts_have_in_common_is_in_the_targets_words(
    caption: str, target: str, expected: str
) -> None:
    """Each word of the target that the caption has in the same order."""
    assert expected == in_common(caption, target)


def test_of_likely_captions_the_longest_is_taken() -> None:
    """A word goes only where the picture is likelier without it."""
    rated = {"": 1.5, "a girl": 1.0, "a girl with": 1.01, "a girl hat": 1.9}

    assert "a girl with" == longest_of_the_likely(rated, unedited=2.0)
    assert "a girl" == longest_of_the_likely(rated, unedited=1.02)
    assert "a girl" == longest_of_the_likely(rated, unedited=0.5)


@pytest.mark.parametrize(
    ("caption", "target", "more"),
    [
        ("", "a girl with a flower", False),
        ("a girl", "a girl with a flower", False),
        ("A girl, in a meadow", "in a meadow, a girl with a flower", False),
        ("a girl with cat ears", "a girl with a flower", True),
        ("a girl with red hair", "a girl with blue hair", True),
        ("a girl with cat ears and blue hair", "a girl with a flower", True),
        ("a girl with cat ears", "a girl with cat ears and a flower", False),
        ("a girl with cat ears", "a girl", False),
        ("a girl - in a meadow", "a girl, in a meadow, with a flower", False),
    ],
)
def test_a_caption_says_more_than_a_target(caption: str, target: str, *, more: bool) -> None:
    """It has words that are missing from a target which has new ones."""
    assert more == says_more(caption, target)


@pytest.mark.parametrize(
    ("caption", "target", "more"),
    [
        ("a girl", "a girl with a flower", False),
        ("A girl with red hair", "a girl with blue hair", False),
        ("a girl, without accessories", "a girl, with a hat", False),
        ("a girl with cat ears and blue hair", "a girl with a flower", True),
        ("a girl with red hair, at sunset", "a girl in the snow", True),
        ("a kitten", "two old dogs", True),
        ("一个女孩", "一个戴花的女孩", True),
    ],
)
def test_a_target_leaves_out_what_it_has_no_other_words_for(
    caption: str, target: str, *, more: bool
) -> None:
    """Where it repeats most, and puts as many words in place of the rest, nothing is left to be held."""
    assert more == leaves_out(caption, target)


def test_a_word_is_lacking_where_a_caption_has_it_nowhere_alike() -> None:
    """Case and the punctuation around a word do not count."""
    assert [False, True, False] == lacking("A blue, hat", "a hat")
    assert [True, True] == lacking("a hat", "")


def test_of_endless_prompts_the_beginning_is_compared() -> None:
    """What no encoder would read costs nothing: comparing takes the square of what it reads."""
    long, endless = " ".join(["very"] * 512), " ".join(["very"] * 5_000)

    assert in_common(long, f"new {long}") == in_common(endless, f"new {endless}")
    assert 512 == len(lacking(endless, endless))
