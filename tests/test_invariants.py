"""What must always hold, whatever was done before: the promises of docs/design.md.

Loss against diffusers (6) is in test_objective.py, round trips and hostile files (4) in
test_adapter.py, mismatches (5) in test_editor.py, whole files or nothing (7) in test_files.py.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from imagic_lora import Adapter, EditSettings, FitSettings, ImagicEditor, Progress
from tests.support.tiny import KINDS, Kind

Editor = Callable[[Kind], ImagicEditor]
Fitted = Callable[[Kind], Adapter]
FIT = FitSettings(steps=2, rank=2, batch=1)
EDIT = EditSettings(steps=2)


class InterruptedWorkError(Exception):
    """Raised by a callback in the middle of something."""


def snapshot(editor: ImagicEditor) -> tuple[list[tuple[str, str, int]], str]:
    """Return the module tree, with identities, and a hash of every parameter and buffer."""
    denoiser = editor.model.denoiser
    tree = [(path, type(m).__name__, id(m)) for path, m in denoiser.named_modules()]
    digest = hashlib.sha256()
    for name, tensor in denoiser.state_dict().items():
        digest.update(name.encode() + tensor.numpy().tobytes())
    return tree, digest.hexdigest()


def interrupt(_: Progress) -> None:
    """Raise in the middle of a fit or an edit."""
    raise InterruptedWorkError


def do(action: str, editor: ImagicEditor, adapter: Adapter, picture: Image.Image) -> None:
    """Do one thing with an editor."""
    actions: dict[str, Callable[[], Any]] = {
        "fit": lambda: editor.fit(picture, source="a", target="a cat", settings=FIT),
        "two-stage": lambda: editor.fit(
            picture, source="a", target="a cat", settings=replace(FIT, mode="two-stage", steps=1)
        ),
        "edit": lambda: editor.edit(adapter, settings=EDIT),
        "img2img": lambda: editor.img2img(picture, "a cat", strength=0.1),
        "sweep, abandoned": lambda: next(editor.sweep(adapter, alphas=(0, 1), settings=EDIT)),
        "fit, interrupted": lambda: editor.fit(
            picture, source="a", target="a cat", settings=FIT, on_progress=interrupt
        ),
        "edit, interrupted": lambda: editor.edit(adapter, settings=EDIT, on_progress=interrupt),
    }
    if "interrupted" in action:
        with pytest.raises(InterruptedWorkError):
            actions[action]()
    else:
        actions[action]()


ACTIONS = st.sampled_from(
    [
        "fit",
        "two-stage",
        "edit",
        "img2img",
        "sweep, abandoned",
        "fit, interrupted",
        "edit, interrupted",
    ]
)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=st.lists(ACTIONS, min_size=1, max_size=4))
def test_the_base_model_is_never_changed(
    actions: list[str], editor: Editor, adapter: Fitted, picture: Image.Image
) -> None:
    """After any sequence of work, even interrupted, the base is bit-identical (invariant 1)."""
    fitted = adapter("sd1")
    before = snapshot(editor("sd1"))

    for action in actions:
        do(action, editor("sd1"), fitted, picture)

    assert before == snapshot(editor("sd1"))


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_bytes(
    kind: Kind, editor: Editor, adapter: Fitted, picture: Image.Image
) -> None:
    """The adapter does not depend on what was done before or on global random state (2)."""
    first = editor(kind).fit(picture, source="a", target="a cat", settings=FIT)
    editor(kind).edit(adapter(kind), settings=EDIT)
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002  the global state is what this is about

    second = editor(kind).fit(picture, source="a", target="a cat", settings=FIT)

    assert first.to_bytes() == second.to_bytes()
    assert (
        first.to_bytes()
        != editor(kind)
        .fit(picture, source="a", target="a cat", settings=replace(FIT, seed=1))
        .to_bytes()
    )


def test_the_callers_random_state_is_left_alone(
    editor: Editor, adapter: Fitted, picture: Image.Image
) -> None:
    """Neither a fit nor an edit draws from or sets the global generators (invariant 2)."""
    fitted = adapter("sd1")
    before = torch.get_rng_state()
    drawn = np.random.get_state(legacy=False)  # noqa: NPY002  the global state is what this is about

    editor("sd1").fit(picture, source="a", target="a cat", settings=FIT)
    editor("sd1").edit(fitted, settings=EDIT)
    editor("sd1").img2img(picture, "a cat", strength=0.2)

    assert torch.equal(before, torch.get_rng_state())
    assert str(drawn) == str(np.random.get_state(legacy=False))  # noqa: NPY002


@pytest.mark.parametrize("direction", ["guided", "interpolate"])
def test_alpha_zero_has_no_trace_of_the_target(
    direction: Any, editor: Editor, adapter: Fitted
) -> None:
    """At alpha 0, any two targets give the same picture, bit for bit (invariant 3)."""
    zero = EditSettings(steps=3, direction=direction)

    cat, horse = (
        editor("sd1").edit(adapter("sd1"), alpha=0, target=target, settings=zero)
        for target in ("a cat", "a horse")
    )

    assert cat.image.tobytes() == horse.image.tobytes()


def test_a_failed_fit_leaves_the_saved_adapter_alone(
    editor: Editor, adapter: Fitted, picture: Image.Image, tmp_path: Path
) -> None:
    """A fit that is stopped by an exception does not touch what was saved before (invariant 7)."""
    path = tmp_path / "a.safetensors"
    adapter("sd1").save(path)
    before = path.read_bytes()

    with pytest.raises(InterruptedWorkError):
        editor("sd1").fit(
            picture, source="a", target="a cat", settings=FIT, on_progress=interrupt
        ).save(path, force=True)

    assert before == path.read_bytes()
    assert [path] == list(tmp_path.iterdir())
