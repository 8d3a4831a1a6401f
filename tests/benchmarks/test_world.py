"""What the benchmarks rely on about the drawn world."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image, ImageChops

from benchmarks.world import architecture, captions
from benchmarks.world.autoencoder import reconstruct, signal_to_noise, to_tensor
from benchmarks.world.data import draw_all, held_out_portraits, training_portraits
from benchmarks.world.drawing import draw
from benchmarks.world.judge import Judge, load_judge, read_attributes, true_attributes
from benchmarks.world.loop import Stage, Trainer
from benchmarks.world.measures import generate
from benchmarks.world.pipeline import MODEL, folder_bytes, load_pipeline
from benchmarks.world.portrait import (
    ATTRIBUTES,
    EXAMPLE,
    EXAMPLES,
    Portrait,
    held_out_portrait,
    sample_portrait,
)
from benchmarks.world.tokenizer import COMMON_WORDS, caption_words, make_tokenizer
from imagic_lora import demo

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import CLIPTokenizer

VALUES = [(name, value) for name, values in ATTRIBUTES.items() for value in values]

# The part of the frame (left, top, right, bottom) in which an attribute may show, close up.
REGIONS = {
    "eyes": (12, 26, 52, 46),
    "expression": (12, 36, 52, 54),
    "accessory": (8, 0, 56, 48),
    "ears": (8, 0, 56, 28),
    "clothes": (0, 26, 64, 64),
    "arms": (0, 24, 64, 64),
}


@pytest.fixture(scope="module")
def tokenizer() -> CLIPTokenizer:
    """The demo model's tokenizer, freshly made."""
    return make_tokenizer()


def test_same_seed_same_picture() -> None:
    """A portrait and its picture follow from the seed alone."""
    for seed in range(5):
        first, second = sample_portrait(seed), sample_portrait(seed)
        assert first == second
        assert draw(first).tobytes() == draw(second).tobytes()


def test_held_out_portraits_are_not_trained_on() -> None:
    """Held-out seeds lie apart from the training seeds, whatever the seed of the run."""
    trained = set(training_portraits(3000, seed=0))
    held_out = held_out_portraits(300)
    assert len(trained.intersection(held_out)) <= 2  # the same portrait may be drawn by chance


def test_attributes_vary_independently() -> None:
    """Every pair of values of two attributes occurs about as often as chance has it."""
    labels = np.array([sample_portrait(seed).labels() for seed in range(4000)])
    for one, two in itertools.combinations(range(len(ATTRIBUTES)), 2):
        counts = np.unique(labels[:, [one, two]], axis=0, return_counts=True)[1]
        sizes = [len(list(ATTRIBUTES.values())[column]) for column in (one, two)]
        expected = len(labels) / (sizes[0] * sizes[1])
        assert len(counts) == sizes[0] * sizes[1]
        assert 0.65 * expected < counts.min() <= counts.max() < 1.35 * expected


@pytest.mark.parametrize("name", ATTRIBUTES)
@pytest.mark.parametrize("index", range(3))
def test_every_value_looks_different(name: str, index: int) -> None:
    """No two values of an attribute give the same picture."""
    portrait = held_out_portrait(index)
    pictures = {draw(portrait.replace(**{name: value})).tobytes() for value in ATTRIBUTES[name]}
    assert len(pictures) == len(ATTRIBUTES[name])


@pytest.mark.parametrize("name", REGIONS)
@pytest.mark.parametrize("index", range(6))
def test_a_change_stays_in_its_place(name: str, index: int) -> None:
    """Changing one attribute leaves the picture outside its region alone."""
    portrait = held_out_portrait(index).replace(size="close", shift=(0, 0))
    before = draw(portrait)
    left, top, right, bottom = REGIONS[name]
    for value in ATTRIBUTES[name]:
        changed = ImageChops.difference(before, draw(portrait.replace(**{name: value}))).getbbox()
        if changed is not None:
            assert changed[0] >= left
            assert changed[1] >= top
            assert changed[2] <= right
            assert changed[3] <= bottom


def test_background_leaves_the_figure_alone() -> None:
    """A new background changes nothing in the middle of the face."""
    portrait = Portrait()
    faces = {
        draw(portrait.replace(background=value)).crop((20, 30, 44, 50)).tobytes()
        for value in ATTRIBUTES["background"]
    }
    assert len(faces) == 1


def test_unknown_value_is_refused() -> None:
    """A value that the world does not know is named, with those it knows."""
    with pytest.raises(ValueError, match=r"hair is 'green'; allowed: black, blonde"):
        Portrait(hair="green")


@pytest.mark.parametrize(("name", "value"), VALUES)
def test_every_value_can_be_named(name: str, value: str) -> None:
    """Each value has a phrase of its own, and a caption with it contains that phrase."""
    portrait = Portrait().replace(**{name: value})
    assert captions.phrase(name, value) in captions.caption_naming(portrait, [name])
    others = [v for v in ATTRIBUTES[name] if v != value]
    assert not set(captions.PHRASES[name][value]) & {
        phrase for other in others for phrase in captions.PHRASES[name][other]
    }


def test_random_captions_name_what_they_say() -> None:
    """One caption in ten is empty; the others name the subject and some attributes."""
    generator = np.random.default_rng(0)
    drawn = [captions.random_caption(sample_portrait(i), generator) for i in range(3000)]
    empty = [caption for caption, named in drawn if not named]
    assert set(empty) == {""}
    assert 0.08 < len(empty) / len(drawn) < 0.12
    for name in set(ATTRIBUTES) - {"subject"}:
        assert 0.4 < np.mean([name in named for _, named in drawn]) < 0.6


def test_tokenizer_knows_every_word(tokenizer: CLIPTokenizer) -> None:
    """Each word of the captions, and each common word, is one token."""
    for word in caption_words() | set(COMMON_WORDS):
        assert len(tokenizer(word).input_ids) == 3  # start, word, end


def test_full_captions_fit(tokenizer: CLIPTokenizer) -> None:
    """A caption that names every attribute is not cut."""
    for portrait in held_out_portraits(200):
        assert len(tokenizer(captions.full_caption(portrait)).input_ids) <= 48


def test_tokenizer_represents_any_text(tokenizer: CLIPTokenizer) -> None:
    """Text outside the vocabulary falls back to bytes, not to an unknown token."""
    text = "zebra \u00e9t\u00e9 \u732b 4"
    ids = tokenizer(text).input_ids
    assert tokenizer.unk_token_id not in ids[1:-1]
    assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_untrained_parts_fit_together(tokenizer: CLIPTokenizer) -> None:
    """The parts agree on the shapes of latents and text, as the pipeline needs."""
    text_encoder = architecture.make_text_encoder(
        len(tokenizer), tokenizer.bos_token_id, tokenizer.eos_token_id
    )
    tokens = tokenizer("a girl", padding="max_length", return_tensors="pt").input_ids
    states = text_encoder(tokens).last_hidden_state
    latents = torch.zeros(1, 4, 16, 16)
    noise = architecture.make_unet()(latents, torch.tensor([5]), states).sample
    assert noise.shape == latents.shape
    assert architecture.make_vae().decode(latents).sample.shape == (1, 3, 64, 64)


def test_training_resumes_to_the_same_weights(tmp_path: Path) -> None:
    """A run that was stopped and taken up again ends where an unbroken one does."""

    def train(folder: Path, stops: list[int]) -> torch.Tensor:
        folder.mkdir()
        for stop in stops:
            torch.manual_seed(0)
            module = torch.nn.Linear(3, 1)
            stage = Stage("line", steps=stops[-1], batch=4, rate=0.1, decay_from=0.9)
            trainer = Trainer(stage, module, folder, 0, lambda _: None)

            def loss(
                generator: torch.Generator, size: int, module: torch.nn.Module = module
            ) -> torch.Tensor:
                inputs = torch.randn(size, 3, generator=generator)
                squared: torch.Tensor = (module(inputs) - inputs.sum(1, keepdim=True)).square()
                return squared.mean()

            trainer.run(loss, until=stop)
        return module.weight.detach()

    assert torch.equal(train(tmp_path / "once", [20]), train(tmp_path / "twice", [7, 20]))


def test_examples_are_held_out_portraits() -> None:
    """The demo's inputs are drawings that training never saw; the first is a girl with cat ears."""
    portrait = held_out_portrait(EXAMPLE)
    assert (portrait.subject, portrait.ears, portrait.accessory) == ("girl", "cat", "none")
    assert [path.stem for path in (example.picture for example in demo.EXAMPLES)] == [*EXAMPLES]
    for name, number in EXAMPLES.items():
        with Image.open(MODEL.with_name(f"{name}.png")) as shipped:
            assert shipped.convert("RGB").tobytes() == draw(held_out_portrait(number)).tobytes()


def test_shipped_model_is_small() -> None:
    """The whole pipeline folder takes at most 20 MB, since every install carries it."""
    assert 10e6 < folder_bytes(MODEL) <= 20e6


def test_shipped_model_draws() -> None:
    """Plain diffusers loads the folder and draws a picture of the native size."""
    pictures = generate(load_pipeline(), ["a girl with a flower", ""], 3.0, steps=2, seed=0)
    assert pictures.shape == (2, 3, 64, 64)
    assert torch.isfinite(pictures).all()


def test_shipped_vae_keeps_drawings() -> None:
    """Held-out drawings come back from the autoencoder with at least 30 dB."""
    drawn = draw_all(held_out_portraits(16))
    assert signal_to_noise(drawn, reconstruct(load_pipeline().vae, drawn)) >= 30


def test_trained_judge_reads_drawings() -> None:
    """The shipped judge reads held-out drawings almost without a fault."""
    portraits = held_out_portraits(64, start=50_000)
    read = read_attributes(load_judge(), to_tensor(draw_all(portraits)))
    true = true_attributes(portraits)
    for name in ATTRIBUTES:
        assert (read[name] == true[name]).float().mean() > 0.96


def test_judge_has_a_row_for_every_value() -> None:
    """The judge answers for each attribute with as many numbers as it has values."""
    logits = Judge()(torch.zeros(2, 3, 64, 64))
    assert {name: row.shape[1] for name, row in logits.items()} == {
        name: len(values) for name, values in ATTRIBUTES.items()
    }
