import re
from typing import Any

import pytest
from huggingface_hub import ModelCard

from imagic_lora.adapters.card import write_card
from tests.support.handmade import record


def card(*, licence: str = "", **changes: Any) -> str:
    """Return the card of a handmade record, with two pictures."""
    return write_card(
        "someone/girl",
        "adapter.safetensors",
        record(**changes),
        facts={"rank": "4"},
        pictures={"picture-1.png": "alpha 0.7", "picture-2.png": "alpha 1.1"},
        licence=licence,
    )


def header(text: str) -> dict[str, Any]:
    """Return the header as the Hub reads it."""
    found: dict[str, Any] = ModelCard(text).data.to_dict()  # type: ignore[no-untyped-call]
    return found


def test_the_header_is_what_the_hub_sorts_by() -> None:
    """Base model, kind of relation, library, caption and licence stand in the header."""
    head = header(card(licence="cc-by-4.0"))

    assert "someone/some-model" == head["base_model"]
    assert "adapter" == head["base_model_relation"]
    assert "imagic-lora" == head["library_name"]
    assert "a girl" == head["instance_prompt"]
    assert "cc-by-4.0" == head["license"]


def test_a_base_model_that_is_no_hub_name_is_left_out_of_the_header() -> None:
    """A folder's name would be a dead link; without a licence there is none in the header."""
    assert {"base_model", "base_model_relation", "license"}.isdisjoint(
        header(card(base_model="my folder"))
    )


def test_the_card_says_how_to_use_the_adapter() -> None:
    """The example has the repository, the base model and the target, and is valid Python."""
    text = card(target='a "girl"')
    example = text.partition("```python\n")[2].partition("```")[0]

    compile(example, "card", "exec")
    assert 'from_pretrained("someone/some-model")' in example
    assert 'Adapter.from_hub("someone/girl")' in example
    assert 'target="a \\"girl\\""' in example


def test_the_card_shows_the_pictures_and_the_facts() -> None:
    """Each picture stands with its caption; canvas, settings and gap are in the table."""
    text = card()

    assert "![alpha 0.7](picture-1.png)" in text
    assert "![alpha 1.1](picture-2.png)" in text
    for row in ("| rank | 4 |", "| canvas | 64 x 48 pixels |", "25% of what it was", "steps `3`"):
        assert row in text


@pytest.mark.parametrize(
    ("licence", "said"), [("mit", "shared under `mit`"), ("", "None was chosen")]
)
def test_the_card_has_a_note_on_licences(licence: str, said: str) -> None:
    """The own licence is said, and that the base model's holds, and what the file gives away."""
    text = card(licence=licence)

    for part in (said, "base model's licence", "whoever is in it"):
        assert part in text


@pytest.mark.parametrize(
    "text", ["a `b` <script>", "a\n---\nlicense: mit", 'a "b": c | d', "a\x7f\x85"]
)
def test_a_prompt_is_never_markup(text: str) -> None:
    """Whatever a prompt holds, it breaks out of neither the header nor the code that shows it."""
    written = card(source=text, target=text)

    assert text == header(written)["instance_prompt"]
    assert "license: mit" not in written.splitlines()
    outside = re.sub(r"```python.*?```|`[^`\n]*`", "", ModelCard(written).text, flags=re.DOTALL)
    assert "<script>" not in outside
