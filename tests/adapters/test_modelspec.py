from typing import Any

import pytest
import torch

from imagic_lora.adapters import pictures
from imagic_lora.adapters.modelspec import describe
from imagic_lora.adapters.weights import Pair, Weights
from tests.support.handmade import THUMBNAIL, record

LORA = Weights.of({"a": Pair(torch.zeros(4, 3), torch.zeros(5, 4))})
ARCHITECTURES = {
    "stable-diffusion-v1/lora": ({"family": "sd", "prediction": "epsilon"}, 768, "sd_v1"),
    "stable-diffusion-v2-512/lora": ({"family": "sd", "prediction": "epsilon"}, 1024, "sd_v2"),
    "stable-diffusion-v2-768-v/lora": (
        {"family": "sd", "prediction": "v_prediction"},
        1024,
        "sd_v2_v",
    ),
    "stable-diffusion-xl-v1-base/lora": (
        {"family": "sdxl", "prediction": "epsilon"},
        2048,
        "sdxl_base_v1-0",
    ),
}


def shown(width: int = 768, **changes: Any) -> dict[str, str]:
    """Return what is shown of a handmade record."""
    return describe(record(**changes), LORA, width, THUMBNAIL)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_each_base_model_is_named_as_other_tools_name_it(name: str) -> None:
    """Architecture, version and prediction are the words of modelspec and of kohya's scripts."""
    changes, width, version = ARCHITECTURES[name]

    found = shown(width, **changes)

    assert name == found["modelspec.architecture"]
    assert version == found["ss_base_model_version"]
    assert str("v2" in version) == found["ss_v2"]
    assert ("v" if version == "sd_v2_v" else "epsilon") == found["modelspec.prediction_type"]


def test_what_the_specifications_ask_for_is_there() -> None:
    """Modelspec's required keys and kohya's minimum are there, and every value is a text."""
    required = {"sai_model_spec", "architecture", "implementation", "title", "resolution"}
    minimum = {"v2", "base_model_version", "network_module", "network_dim", "network_alpha"}

    found = shown()

    assert {f"modelspec.{name}" for name in required} <= found.keys()
    assert {f"ss_{name}" for name in minimum | {"network_args"}} <= found.keys()
    assert all(isinstance(value, str) for value in found.values())
    assert ("64x48", "4", "4") == tuple(
        found[name] for name in ("modelspec.resolution", "ss_network_dim", "ss_network_alpha")
    )


def test_the_hint_gives_the_prompt_of_the_fit() -> None:
    """People are told the caption to prompt with: the source, or the target if that is all."""
    assert "'a girl'" in shown()["modelspec.usage_hint"]
    assert "'a cat'" in shown(source="", target="a cat")["modelspec.usage_hint"]


def test_a_thumbnail_comes_back_or_is_left_out() -> None:
    """The thumbnail is read as it was written, and no key is written for none."""
    without = describe(record(), LORA, 768, b"")

    assert THUMBNAIL == pictures.THUMBNAIL.read(shown())
    assert "modelspec.thumbnail" not in without
    assert b"" == pictures.THUMBNAIL.read(without)
