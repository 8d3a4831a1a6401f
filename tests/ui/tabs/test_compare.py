from typing import Any

from imagic_lora.images.png import read_record
from tests.support.visitor import Visitor


def record(visitor: Visitor, name: str) -> dict[str, Any]:
    """Return what a picture that is offered for download says of itself."""
    return read_record(visitor[name]["value"]["path"]) or {}


def test_a_comparison_shows_both_ways(visitor: Visitor) -> None:
    """The same prompt, seed and negative prompt are used for the edit and for img2img."""
    visitor.fill(compare_target="a fox", compare_strength=0.5, compare_noise=0.25)
    visitor.fill(compare_steps=2, compare_seed=5, compare_negative="a dog")
    visitor.do("compare-run")

    first, second = (record(visitor, name) for name in ("compare-one", "compare-other"))
    assert "Done." in visitor.text("compare-status")
    assert ("Edit", "Variation") == (first["kind"], second["kind"])
    assert (0.5, 0.25) == (second["strength"], second["noise"])
    for name in ("steps", "seed", "negative"):
        assert first["settings"][name] == second["settings"][name]


def test_an_img2img_picture_brings_its_settings_back(visitor: Visitor) -> None:
    """Dropped on the page, it fills the form of the comparison, and that is shown."""
    visitor.fill(compare_target="a fox", compare_strength=0.5, compare_steps=2)
    visitor.do("compare-run")
    picture = visitor["compare-other"]["value"]["path"]
    visitor.fill(compare_target="", compare_strength=0.9, compare_steps=7)
    visitor.name_file("picture", picture)

    held = [visitor[f"compare-{name}"]["value"] for name in ("target", "strength", "steps")]
    assert ["a fox", 0.5, 2] == held
    assert "compare" == visitor["tabs"]["selected"]
