"""Hostile values by a grammar: whatever JSON allows, wherever it stands."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import hypothesis
import pytest
import torch
from hypothesis import strategies as st

from benchmarks.faults.grammar import JSON
from benchmarks.faults.hostile import RAW, VALUES
from benchmarks.faults.tally import Tally
from imagic_lora import Adapter, EditSettings, FitSettings, ImagicError
from imagic_lora.adapters.adopting import read_lora
from imagic_lora.adapters.file import write_tensors
from imagic_lora.errors import PromptError
from imagic_lora.texts import prompt
from tests.support.handmade import made
from tests.support.rewriting import rewrite

SOUND = made().to_bytes()
FIELDS = sorted(made().record.values())


def refusal(work: Callable[[], object]) -> str:
    """Return the sentence that work is refused with, or "" where it is done."""
    try:
        work()
    except ImagicError as error:
        return str(error)
    return ""


def read(data: bytes) -> None:
    """Read a file, if it can be read; then it is whole. A refusal is short."""
    found: list[Adapter] = []
    assert 600 > len(refusal(lambda: found.append(Adapter.from_bytes(data))))
    for adapter in found:
        assert adapter == Adapter.from_bytes(adapter.to_bytes())


@hypothesis.settings(max_examples=150)
@hypothesis.given(field=st.sampled_from(FIELDS), value=JSON)
def test_any_value_of_a_record_is_refused_or_kept(field: str, value: Any) -> None:
    """A field of any value is refused in a sentence, or is there again when the file is saved."""
    read(rewrite(SOUND, lambda own: own.update({field: value})))


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    "value", VALUES, ids=lambda value: repr(value)[:20].encode("ascii", "replace").decode()
)
def test_known_hostile_values_are_refused_or_kept(field: str, value: Any) -> None:
    """Those that once did harm."""
    read(rewrite(SOUND, lambda own: own.update({field: value})))


@pytest.mark.parametrize("raw", RAW, ids=lambda raw: raw[:12])
def test_what_is_no_json_is_refused_or_kept(raw: str) -> None:
    """A number of five thousand digits, or brackets five thousand deep, are errors of ours."""
    size = int.from_bytes(SOUND[:8], "little")
    header = json.loads(SOUND[8 : 8 + size])
    own = json.loads(header["__metadata__"]["imagic_lora"])
    own["gap"] = "@@"
    header["__metadata__"]["imagic_lora"] = json.dumps(own).replace('"@@"', raw)
    text = json.dumps(header).encode()

    read(len(text).to_bytes(8, "little") + text + SOUND[8 + size :])


@hypothesis.settings(max_examples=150)
@hypothesis.given(
    name=st.sampled_from(["steps", "seed", "guidance", "negative", "scheduler"]), value=JSON
)
def test_any_value_of_a_setting_is_taken_or_refused(name: str, value: Any) -> None:
    """Settings come from web handlers and from pictures' records as well as from programs."""
    for kind in (FitSettings, EditSettings):
        if name in kind.__dataclass_fields__:
            assert 400 > len(refusal(partial(kind, **{name: value})))


@hypothesis.settings(max_examples=150)
@hypothesis.given(text=JSON)
def test_any_prompt_is_taken_or_refused(text: Any) -> None:
    """What is taken is a text that says something and can be written to a file."""
    found: list[str] = []
    assert 400 > len(refusal(lambda: found.append(prompt(text))))
    for taken in found:
        assert taken == taken.strip() != ""
        assert taken.encode()


@pytest.mark.parametrize("text", [",", "...", " ?! ", "\u200b", "\ufeff", "\t", "\0", "(", "-"])
def test_a_prompt_without_words_is_refused(text: str) -> None:
    """It would give a picture all the same, of nothing that was asked for."""
    with pytest.raises(PromptError):
        prompt(text)


@pytest.mark.parametrize("text", ["猫", "🐈", "a", "3", "a cat, please"])
def test_a_prompt_of_any_words_is_taken(text: str) -> None:
    """In any script, and in pictures too."""
    assert text == prompt(text)


SMALL = {"a.lora_A.weight": torch.ones(1, 2), "a.lora_B.weight": torch.ones(2, 1)}
LAYERS = ["a", *(f"layer_{number}" for number in range(32))]
# Small layers: what one takes while it is worked on lies far below what is allowed beside the file.
LARGE = {
    f"{layer}.lora_{way}.weight": torch.ones(shape).half()
    for layer in LAYERS[1:]
    for way, shape in (("A", (4, 200_000)), ("B", (200_000, 4)))
}
WORDS = '{"tag": 12}, ' * 2_000_000


@pytest.mark.parametrize(
    ("tensors", "words"),
    [(LARGE, ""), (SMALL, WORDS), (SMALL, "\U0001f600" + WORDS), (SMALL, "\\" * 20_000_000)],
    ids=["tensors", "words", "emoji", "slashes"],
)
def test_a_lora_takes_twice_its_file(tensors: dict[str, torch.Tensor], words: str) -> None:
    """A large one of another tool, and one of whose header only the words are large."""
    data, tally = write_tensors(tensors, {"ss_tag_frequency": words}), Tally()

    found = tally.attempt("load", partial(read_lora, data, LAYERS), len(data) + 50_000_000)

    assert {} == dict(tally.faults)
    assert found is not None
