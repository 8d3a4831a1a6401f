"""Stable Diffusion 3 without its third text encoder, as people with small cards use it."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from imagic_lora import (
    Adapter,
    AdapterMismatchError,
    EditSettings,
    FitSettings,
    ImagicEditor,
    ModelError,
)
from imagic_lora.memory import MemoryPlan
from imagic_lora.models.blueprint import BLUEPRINTS, find_blueprint
from imagic_lora.models.loading import load_model
from imagic_lora.planning.counted import count, known_footprint
from tests.support.tiny import Kind, build

Editor = Callable[[Kind], ImagicEditor]
PLAN = MemoryPlan.automatic("cpu")
QUICK = EditSettings(steps=2)


def without() -> Any:
    """Return the tiny pipeline made without the encoder and its tokenizer."""
    pipeline = build("sd3")
    pipeline.register_modules(text_encoder_3=None, tokenizer_3=None)
    return pipeline


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of such a pipeline."""
    path = tmp_path_factory.mktemp("models") / "small"
    without().save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def fitted(small: Path, picture: Image.Image) -> Adapter:
    """Give a short fit on it."""
    settings = FitSettings(steps=2, rank=2)
    editor = ImagicEditor.from_pretrained(small)
    return editor.fit(picture, source="a", target="a cat", settings=settings)


@pytest.mark.parametrize("prompts", [("a cat",), ("", "a cat on a mat")])
def test_prompts_are_read_as_the_plain_pipeline_reads_them(
    prompts: tuple[str, ...], small: Path
) -> None:
    """Zeros stand for what is left out, as many as the plain pipeline puts there."""
    model = load_model(small, PLAN)

    found = model.encode_prompt(*prompts)

    with torch.no_grad():
        tokens, _, pooled, _ = without().encode_prompt(
            list(prompts), None, None, device="cpu", do_classifier_free_guidance=False
        )
    torch.testing.assert_close(tokens, found.tokens)
    torch.testing.assert_close(pooled, found.pooled)
    assert tokens.shape[1:] == (model.traits.token_count, model.traits.token_width)


def test_a_picture_is_fitted_and_edited(small: Path, fitted: Adapter, tmp_path: Path) -> None:
    """The adapter says what its base model was made without, also out of its file."""
    editor = ImagicEditor.from_pretrained(small)
    fitted.save(tmp_path / "a.safetensors")
    loaded = Adapter.load(tmp_path / "a.safetensors")

    edits = [editor.edit(each, alpha=1.0, settings=QUICK) for each in (fitted, loaded)]

    assert fitted == loaded
    assert ("text_encoder_3",) == loaded.record.left_out
    # What a fit moves is the caption's own: beginning, one letter, end.
    assert loaded.conditioning.tokens.shape == (1, 3, 32)
    assert len({edit.image.tobytes() for edit in edits}) == 1


def test_adapters_are_not_used_across(
    small: Path, fitted: Adapter, editor: Editor, adapter: Callable[[Kind], Adapter]
) -> None:
    """What a fit moved is of other tokens there; the sentence names both sides."""
    with pytest.raises(AdapterMismatchError, match=r"all but 'text_encoder_3', and the model all;"):
        editor("sd3").edit(fitted)

    with pytest.raises(AdapterMismatchError, match=r"all, and the model all but 'text_encoder_3';"):
        ImagicEditor.from_pretrained(small).edit(adapter("sd3"))


def test_adapters_of_whole_models_say_nothing_of_it(adapter: Callable[[Kind], Adapter]) -> None:
    """Their files are as they were."""
    assert "left_out" not in adapter("sd3").record.values()


def test_streamed_it_reads_the_same(small: Path) -> None:
    """The levers of text encoders act on those that are there."""
    model = load_model(small, PLAN)
    before = model.encode_prompt("a cat")

    model.replan(dataclasses.replace(PLAN, stream_text=True, streaming=True))

    assert before.equal(model.encode_prompt("a cat"))


def test_what_is_cut_is_said_once(small: Path, recwarn: pytest.WarningsRecorder) -> None:
    """It is the first text encoder that says what neither sees."""
    load_model(small, PLAN).encode_prompt("a cat on a mat in the garden of my neighbour")

    (warning,) = recwarn
    assert "does not see the end" in str(warning.message)


def test_its_plan_counts_no_more_than_is_there(small: Path) -> None:
    """What is left out takes no memory; of the known model both ways were counted ahead."""
    ours, whole = find_blueprint(small), BLUEPRINTS["sd35m"]
    assert "text_encoder_3" not in ours.networks
    assert {"text encode"} == count(ours, PLAN, ("text encode",)).keys()

    spared = known_footprint(whole.without("text_encoder_3"))
    full = known_footprint(whole)

    assert spared is not None
    assert full is not None
    for phase, needed in full.counted.items():
        pairs = np.array([spared.counted[phase], needed])
        assert (
            (pairs[0] < pairs[1]).all() if phase == "text encode" else (pairs[0] == pairs[1]).all()
        )


def test_no_other_part_can_be_left_out(tmp_path: Path) -> None:
    """The sentence says which are needed."""
    pipeline = build("sd3")
    pipeline.register_modules(text_encoder_2=None, tokenizer_2=None)
    pipeline.save_pretrained(tmp_path / "x")

    with pytest.raises(ModelError, match=r"made without text_encoder_2; .* all of (?!.*_3)"):
        load_model(tmp_path / "x", PLAN)
