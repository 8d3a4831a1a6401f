import pytest

from imagic_lora.captions.words import lacking, longest_of_the_likely, says_more, shared_parts


def test_parts_leave_out_one_run_of_words() -> None:
    """Everything is there that is shared with a prompt that has other words in one place."""
    parts = shared_parts("a girl with a hat, in a meadow")

    assert {"", "a girl", "a girl, in a meadow", "a girl with a hat", "in a meadow"} <= {
        part.replace("girl in", "girl, in") for part in parts
    }
    assert "a girl with a hat, in a meadow" not in parts
    assert len(parts) == len(set(parts))


def test_parts_of_a_long_prompt_are_not_many() -> None:
    """However long it is, what is tried stays within what a fit takes."""
    words = [str(number) for number in range(600)]

    assert 240 > len(shared_parts(" ".join(words))) > len(shared_parts(" ".join(words[:20])))


def test_parts_keep_what_a_caption_has_already() -> None:
    """Each run that is left out has a word that is new to the caption, wherever it stands there."""
    caption, prompt = (
        "A girl with red hair, in red clothes",
        "a girl with red hair, in blue clothes",
    )

    parts = shared_parts(prompt, caption)

    assert "a girl with red hair, in clothes" in parts
    assert "a girl with hair, in blue clothes" not in parts
    assert all("blue" not in part for part in parts)
    assert set(parts) < set(shared_parts(prompt))


def test_one_new_word_in_a_long_prompt_is_soon_looked_at() -> None:
    """What is tried does not grow with what the caption has already."""
    long, longer = (" ".join(str(number) for number in range(most)) for most in (10, 40))

    assert len(shared_parts(f"{long} now", long)) == len(shared_parts(f"{longer} now", longer)) < 10


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


def test_a_word_is_lacking_where_a_caption_has_it_nowhere_alike() -> None:
    """Case and the punctuation around a word do not count."""
    assert [False, True, False] == lacking("A blue, hat", "a hat")
    assert [True, True] == lacking("a hat", "")


def test_of_endless_prompts_the_beginning_is_compared() -> None:
    """What no encoder would read costs nothing: comparing takes the square of what it reads."""
    long, endless = " ".join(["very"] * 512), " ".join(["very"] * 5_000)

    assert shared_parts(f"new {long}", long) == shared_parts(f"new {endless}", endless)
    assert 512 == len(lacking(endless, endless))
