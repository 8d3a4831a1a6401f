from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.edits.methods import Bench
from benchmarks.edits.methods.flow_edit import FlowAlign, FlowEdit
from imagic_lora.bench.items import Item
from imagic_lora.bench.rivals.plain import Autoencoder
from imagic_lora.images.pixels import to_images
from imagic_lora.images.reading import open_image
from imagic_lora.seeding import generator, randn
from tests.support.tiny import Kind


@pytest.fixture
def bench(folder: Callable[[Kind], Path]) -> Bench:
    """Give a tiny flow model to edit with."""
    return Bench.of(folder("flux2"))


@pytest.fixture
def dog(picture: Image.Image, tmp_path: Path) -> Item:
    """Give a picture that is said to be a dog, to become one."""
    picture.save(tmp_path / "dog.png")
    return Item("dog", "any", tmp_path / "dog.png", "a dog", "dog.png", "a dog")


def rebuilt(bench: Bench, case: Item) -> Image.Image:
    """Return what the autoencoder alone makes of an input."""
    return Autoencoder().open(bench)(open_image(case.picture), case)


@pytest.mark.parametrize(
    ("method", "strength"), [(FlowEdit(source_guidance=3.0), 3.0), (FlowAlign(), 5.0)]
)
def test_a_target_that_is_the_source_changes_nothing(
    method: FlowEdit | FlowAlign, strength: float, bench: Bench, dog: Item
) -> None:
    """Both velocities are the same at every step, whatever the noise."""
    found = method.edit(bench, dog, method.prepare(bench, dog), strength)

    assert rebuilt(bench, dog) == found


def test_a_flow_edit_is_the_published_rule(bench: Bench, dog: Item) -> None:
    """Z += dt (V(Z + X_t - X, target) - V(X_t, source)), each guided from the empty prompt."""
    asked, method, model = (
        replace(dog, target="a cat"),
        FlowEdit(source_guidance=1.5),
        bench.editor.model,
    )
    empty, source, target = (model.encode_prompt(text) for text in ("", "a dog", "a cat"))
    start = bench.latents(asked)
    sigmas = [*model.sampler("euler", 50, tuple(start.shape)).times.tolist(), 0.0]
    noises, z = generator(0, "flow noise"), start.clone()
    with torch.no_grad():
        for sigma, after in pairwise(sigmas[17:]):
            x_t = (1 - sigma) * start + sigma * randn(tuple(start.shape), noises)
            t, moved = torch.tensor([sigma]), z + x_t - start
            at_target = model.predict(moved, t, empty)
            at_target += 3.0 * (model.predict(moved, t, target) - at_target)
            at_source = model.predict(x_t, t, empty)
            at_source += 1.5 * (model.predict(x_t, t, source) - at_source)
            z += (after - sigma) * (at_target - at_source)
        (expected,) = to_images(model.decode(z))

    found = method.edit(bench, asked, method.prepare(bench, asked), 3.0)

    assert np.abs(np.asarray(expected, int) - np.asarray(found, int)).max() <= 1
    assert found != rebuilt(bench, dog)
