import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from PIL import Image

from imagic_lora import (
    Adapter,
    AdapterMismatchError,
    EditSettings,
    FitSettings,
    ImageError,
    ImagicEditor,
    ImagicWarning,
    PromptError,
    SamplingSettings,
    SettingsError,
)
from imagic_lora.images.pixels import to_images
from imagic_lora.images.png import image_hash, read_record
from tests.support.tiny import Kind, build

Editor = Callable[[Kind], ImagicEditor]
Fitted = Callable[[Kind], Adapter]
QUICK = EditSettings(steps=2)
PLAIN = replace(QUICK, guidance=2.0, focus=0)
"""Nothing is looked for on the input."""


def test_a_fit_records_what_it_was_given(editor: Editor, picture: Image.Image) -> None:
    """Prompts, sizes, image hash, settings, base model and losses are in the record."""
    settings = FitSettings(steps=2, rank=2, seed=5)

    record = editor("sd1").fit(picture, target=" a cat ", source="a dog", settings=settings).record

    assert ("a cat", "a dog") == (record.target, record.source)
    assert (32, 32) == (record.width, record.height)
    assert image_hash(picture) == record.image_sha256
    assert settings == record.settings
    assert ("sd", "tiny-sd1") == (record.family, record.base_model)
    assert 2 == len(record.losses)
    assert {"imagic-lora", "torch", "diffusers", "transformers", "peft"} == set(record.versions)


def test_a_fit_starts_at_the_source_when_there_is_one(editor: Editor, picture: Image.Image) -> None:
    """With a source caption the target plays no part in the fit."""
    settings = FitSettings(steps=2, rank=2)

    alone = editor("sd1").fit(picture, source="a dog", settings=settings)
    both = editor("sd1").fit(picture, source="a dog", target="a cat", settings=settings)
    classic = editor("sd1").fit(picture, target="a cat", settings=settings)

    assert alone.conditioning.equal(both.conditioning)
    assert alone.record.losses == both.record.losses
    assert alone.record.losses != classic.record.losses


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_fit_works_where_gradients_are_off(
    mode: Callable[[], torch.no_grad], editor: Editor, picture: Image.Image
) -> None:
    """A caller's no_grad or inference_mode does not stop a fit."""
    settings = FitSettings(steps=2, rank=2)
    expected = editor("sd1").fit(picture, target="a cat", settings=settings)

    with mode():
        assert expected == editor("sd1").fit(picture, target="a cat", settings=settings)


def test_other_targets_need_no_second_fit(editor: Editor, adapter: Fitted) -> None:
    """A target given to an edit takes the place of the fit's."""
    fitted = adapter("sd1")

    own = editor("sd1").edit(fitted, settings=PLAIN)
    same = editor("sd1").edit(fitted, target="a cat", settings=PLAIN)
    other = editor("sd1").edit(fitted, target="a horse", settings=PLAIN)

    assert "a cat" == own.target
    assert own.image.tobytes() == same.image.tobytes()
    assert own.image.tobytes() != other.image.tobytes()
    assert "a horse" == other.target


@pytest.mark.parametrize("source", ["a dog", ""])
def test_a_fit_belongs_to_the_picture_alone(
    source: str, editor: Editor, picture: Image.Image
) -> None:
    """What is learned does not depend on the target, so one fit serves as well as one for each."""
    settings = FitSettings(steps=2, rank=2)
    cat, horse = (
        editor("sd1").fit(picture, target=target, source=source, settings=settings)
        for target in ("a cat", "a horse")
    )

    assert cat.lora.keys() == horse.lora.keys()
    assert all(torch.equal(tensor, horse.lora[name]) for name, tensor in cat.lora.items())
    assert torch.equal(cat.conditioning.tokens, horse.conditioning.tokens)


@pytest.mark.parametrize("prompts", [{}, {"target": "  "}, {"source": "\n"}])
def test_a_fit_needs_a_prompt(
    prompts: dict[str, str], editor: Editor, picture: Image.Image
) -> None:
    """Without target and source there is nothing to fit towards."""
    with pytest.raises(PromptError, match="target prompt, or a source caption"):
        editor("sd1").fit(picture, **prompts)  # type: ignore[arg-type]


def test_an_edit_needs_a_target_from_somewhere(editor: Editor, picture: Image.Image) -> None:
    """An adapter fitted at a source alone asks for the target at the edit."""
    settings = FitSettings(steps=1, rank=1)
    fitted = editor("sd1").fit(picture, source="a dog", settings=settings)

    with pytest.raises(PromptError, match="without a target"):
        editor("sd1").edit(fitted)
    assert "a cat" == editor("sd1").edit(fitted, target="a cat", settings=PLAIN).target


@pytest.mark.parametrize("alpha", [float("nan"), float("inf"), -float("inf")])
def test_alpha_must_be_finite(alpha: float, editor: Editor, adapter: Fitted) -> None:
    """A prompt strength that is no number is refused in one sentence."""
    with pytest.raises(SettingsError, match="alpha was"):
        editor("sd1").edit(adapter("sd1"), alpha=alpha)


def test_a_sweep_yields_every_alpha_for_every_seed(editor: Editor, adapter: Fitted) -> None:
    """Edits come one at a time, in order, and equal the ones made singly."""
    fitted = adapter("sd1")

    edits = editor("sd1").sweep(fitted, alphas=(0.0, 1.5), seeds=(3, 4), settings=QUICK)
    first = next(edits)
    rest = list(edits)

    assert [(3, 0.0), (3, 1.5), (4, 0.0), (4, 1.5)] == [
        (edit.settings.seed, edit.alpha) for edit in (first, *rest)
    ]
    single = editor("sd1").edit(fitted, alpha=1.5, settings=replace(QUICK, seed=4))
    assert single.image.tobytes() == rest[-1].image.tobytes()


def test_edits_that_differ_in_alpha_share_what_does_not(
    editor: Editor, adapter: Fitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the second edit of a sweep on, each step takes a prediction; the pictures are the same.

    The predictions at caption and target are made as one; the first edit also looks where they
    differ, and what its reconstruction misses at each step.
    """
    model, fitted, target = editor("sd1").model, adapter("sd1"), "a dog and a cat"
    counted, spy = [0], Mock(wraps=model.predict)
    monkeypatch.setattr(model, "predict", spy)
    edits = []

    for edit in editor("sd1").sweep(fitted, alphas=(1, 2, 3), target=target, settings=QUICK):
        edits.append(edit.image.tobytes())
        counted.append(spy.call_count)

    first, *others = (after - before for before, after in pairwise(counted))
    assert [QUICK.steps] * 2 == others
    assert first > 2 * QUICK.steps
    alone = ImagicEditor(model)
    assert edits[-1] == alone.edit(fitted, alpha=3, target=target, settings=QUICK).image.tobytes()


@pytest.mark.parametrize("kind", ["sdxl", "flux2"])
def test_how_far_alpha_1_goes_is_found_and_recorded(
    kind: Kind, editor: Editor, adapter: Fitted
) -> None:
    """The same for every strength and seed, and the same picture where it is given."""
    one, another = editor(kind).sweep(adapter(kind), alphas=[0.5], seeds=[1, 2], settings=QUICK)

    found = one.settings.guidance
    assert found is not None
    assert 1.2 <= found <= 9.6
    assert found == another.settings.guidance
    given = replace(QUICK, guidance=found, seed=1)
    again = editor(kind).edit(adapter(kind), alpha=0.5, settings=given)
    assert one.record() == again.record()
    assert one.image.tobytes() == again.image.tobytes()


def test_a_sweep_keeps_to_a_mask(editor: Editor, adapter: Fitted) -> None:
    """Every edit of it equals the one that is made singly under the same mask."""
    mask = Image.new("L", (32, 32))
    mask.paste(255, (0, 0, 16, 32))
    fitted, ours = adapter("sd1"), editor("sd1")

    (held,) = ours.sweep(fitted, alphas=(2.0,), mask=mask, settings=QUICK)

    single = ours.edit(fitted, alpha=2.0, mask=mask, settings=QUICK)
    assert single.image.tobytes() == held.image.tobytes()
    assert single.image != ours.edit(fitted, alpha=2.0, settings=QUICK).image


def test_a_fit_may_come_between_two_edits_of_a_sweep(
    editor: Editor, adapter: Fitted, picture: Image.Image
) -> None:
    """A sweep that waits holds nothing in the model: other work is neither hindered nor changed."""
    fitted, settings = adapter("sd1"), FitSettings(steps=2, rank=2)
    alone = editor("sd1").fit(picture, source="a", settings=settings)
    expected = [
        e.image.tobytes() for e in editor("sd1").sweep(fitted, alphas=(0, 1), settings=QUICK)
    ]

    edits = editor("sd1").sweep(fitted, alphas=(0, 1), settings=QUICK)
    found = [next(edits).image.tobytes()]
    between = editor("sd1").fit(picture, source="a", settings=settings)
    found += [edit.image.tobytes() for edit in edits]

    assert alone == between
    assert expected == found


def test_size_is_the_fit_s_unless_given(editor: Editor, picture: Image.Image) -> None:
    """An edit has the canvas of the fit; another one can be asked for."""
    wide = picture.resize((64, 32))
    fitted = editor("sd1").fit(
        wide, source="a", target="a cat", settings=FitSettings(steps=1, rank=1)
    )

    size = (fitted.record.width, fitted.record.height)
    assert size[0] > size[1]
    assert size == editor("sd1").edit(fitted, settings=PLAIN).image.size
    asked = replace(PLAIN, width=64, height=48)
    assert (64, 48) == editor("sd1").edit(fitted, settings=asked).image.size


def test_a_size_that_is_no_multiple_is_rounded_and_said(editor: Editor, adapter: Fitted) -> None:
    """The nearest size that the model can make is used, with a warning."""
    with pytest.warns(ImagicWarning, match="37"):
        edit = editor("sd1").edit(
            adapter("sd1"), settings=EditSettings(steps=1, width=37, height=32)
        )

    assert (40, 32) == edit.image.size


@pytest.mark.parametrize(
    ("fitted", "used", "said"),
    [
        ("sd1", "sdxl", r"tiny-sd1.*family sd.*32.*tiny-sdxl.*family sdxl.*56"),
        ("sd1", "flow", r"tiny-sd1.*family sd.*32.*tiny-flow.*family tiny-flow.*24"),
        ("flow", "sd1", r"tiny-flow.*family tiny-flow.*24.*tiny-sd1.*family sd.*32"),
    ],
)
def test_another_family_is_refused(
    fitted: Kind, used: Kind, said: str, editor: Editor, adapter: Fitted
) -> None:
    """The error names both models, families and widths (invariant 5)."""
    with pytest.raises(AdapterMismatchError, match=said):
        editor(used).edit(adapter(fitted))


def test_another_width_is_refused(editor: Editor, adapter: Fitted) -> None:
    """An adapter of SD 1 does not go on SD 2, though the family is the same (invariant 5)."""
    with pytest.raises(AdapterMismatchError, match=r"width 32.*width 48"):
        editor("sd2").edit(adapter("sd1"))


def test_another_checkpoint_works_with_a_warning(adapter: Fitted, tmp_path: Path) -> None:
    """An adapter is usable on a fine-tune of its base, which is said (invariant 5)."""
    build("sd1", seed=1).save_pretrained(tmp_path / "fine-tune")
    other = ImagicEditor.from_pretrained(tmp_path / "fine-tune")

    with pytest.warns(ImagicWarning, match=r"tiny-sd1.*another checkpoint.*fine-tune"):
        edit = other.edit(adapter("sd1"), settings=QUICK)

    assert (32, 32) == edit.image.size


def test_a_picture_carries_what_made_it(editor: Editor, adapter: Fitted, tmp_path: Path) -> None:
    """The PNG's record has target, alpha, settings, base model and adapter hash."""
    edit = editor("sd1").edit(adapter("sd1"), alpha=0.9, settings=EditSettings(steps=2, seed=3))

    edit.save(tmp_path / "a.png")

    record = read_record(tmp_path / "a.png")
    assert record == json.loads(json.dumps(edit.record()))
    assert record is not None
    assert ("Edit", "a cat", 0.9) == (record["kind"], record["target"], record["alpha"])
    assert adapter("sd1").sha256 == record["adapter_sha256"]
    assert (2, 3) == (record["settings"]["steps"], record["settings"]["seed"])


def test_img2img_records_its_strength(editor: Editor, picture: Image.Image, tmp_path: Path) -> None:
    """The baseline's PNG tells strength, noise and the hash of the input."""
    made = editor("sd1").img2img(
        picture, "a cat", strength=0.4, noise=0.1, settings=SamplingSettings(steps=5)
    )

    made.save(tmp_path / "a.png")

    record = read_record(tmp_path / "a.png")
    assert record is not None
    assert ("Variation", 0.4, 0.1) == (record["kind"], record["strength"], record["noise"])
    assert image_hash(picture) == record["image_sha256"]


def test_img2img_noise_changes_the_picture(editor: Editor, picture: Image.Image) -> None:
    """Extra noise is mixed into the input, and comes from the seed."""
    settings = SamplingSettings(steps=5)

    plain, noisy, again = (
        editor("sd1").img2img(picture, "a cat", strength=0.4, noise=noise, settings=settings)
        for noise in (0.0, 0.2, 0.2)
    )

    assert plain.image.tobytes() != noisy.image.tobytes()
    assert noisy.image.tobytes() == again.image.tobytes()


@pytest.mark.parametrize(("name", "value"), [("strength", 1.5), ("strength", -0.1), ("noise", 2)])
def test_img2img_checks_its_ranges(
    name: str, value: float, editor: Editor, picture: Image.Image
) -> None:
    """A strength or noise out of range is refused, with the range."""
    with pytest.raises(SettingsError, match=f"{name} was {value}, allowed is 0 to 1"):
        editor("sd1").img2img(picture, "a cat", **{name: value})  # type: ignore[arg-type]


def test_img2img_needs_a_prompt(editor: Editor, picture: Image.Image) -> None:
    """An empty prompt is refused."""
    with pytest.raises(PromptError):
        editor("sd1").img2img(picture, " ")


def test_a_bad_image_is_refused_before_the_fit(editor: Editor, tmp_path: Path) -> None:
    """A file that is no image is named, and nothing was begun."""
    path = tmp_path / "broken.png"
    path.write_bytes(b"no image")
    steps: list[object] = []

    with pytest.raises(ImageError, match=r"broken\.png"):
        editor("sd1").fit(path, target="a cat", on_progress=steps.append)

    assert [] == steps


def test_an_adapter_gives_its_input_back(editor: Editor, adapter: Fitted) -> None:
    """The input image comes of the adapter alone: as it was, or as the autoencoder sees it."""
    sd1, fitted = editor("sd1"), adapter("sd1")
    bare = replace(fitted, picture=b"")

    (decoded,) = to_images(sd1.model.decode(fitted.latents.float()))
    assert fitted.input == sd1.input_image(fitted)
    assert image_hash(decoded) == image_hash(sd1.input_image(bare))


def test_a_foreign_adapters_input_is_not_drawn(editor: Editor, adapter: Fitted) -> None:
    """Latents of another family mean nothing to this autoencoder."""
    with pytest.raises(AdapterMismatchError):
        editor("sd1").input_image(adapter("sd2"))
