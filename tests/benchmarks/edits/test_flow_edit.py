from collections.abc import Callable
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.edits.methods import Bench
from benchmarks.edits.methods.flow_edit import FlowAlign, FlowEdit
from imagic_lora import ImagicEditor
from imagic_lora.images.pixels import to_images
from imagic_lora.runs.passes import Passes
from imagic_lora.seeding import generator, randn
from tests.support.tiny import Kind

Editor = Callable[[Kind], ImagicEditor]


@pytest.fixture
def bench(editor: Editor) -> Bench:
    """Give a tiny flow model to edit with."""
    suite: Any = None
    return Bench(suite, editor("flux2"), Passes())


def case(picture: Image.Image, target: str) -> Any:
    """Return a case whose input is said to be a dog."""
    return SimpleNamespace(image=picture, source="a dog", target=target)


@pytest.mark.parametrize(
    ("method", "strength"), [(FlowEdit(source_guidance=3.0), 3.0), (FlowAlign(), 5.0)]
)
def test_a_target_that_is_the_source_changes_nothing(
    method: FlowEdit | FlowAlign, strength: float, bench: Bench, picture: Image.Image
) -> None:
    """Both velocities are the same at every step, whatever the noise."""
    asked = case(picture, "a dog")

    found = method.edit(bench, asked, method.prepare(bench, asked), strength)

    assert bench.rebuilt(picture) == found


def test_a_flow_edit_is_the_published_rule(bench: Bench, picture: Image.Image) -> None:
    """Z += dt (V(Z + X_t - X, target) - V(X_t, source)), each guided from the empty prompt."""
    asked, method, model = case(picture, "a cat"), FlowEdit(source_guidance=1.5), bench.editor.model
    empty, source, target = (model.encode_prompt(text) for text in ("", "a dog", "a cat"))
    start = bench.latents(picture)
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
    assert found != bench.rebuilt(picture)
