from pathlib import Path

import pytest
import safetensors.torch
import torch

from imagic_lora import Adapter, OutputError, SettingsError, export_lora
from imagic_lora.adapters.exporting import Tool
from imagic_lora.conditioning import Conditioning
from tests.support.handmade import TOOLS, filled, made, pipeline, predict, record
from tests.support.tiny import Kind

EACH_TOOL = pytest.mark.parametrize("tool", TOOLS)
EACH_KIND = pytest.mark.parametrize("kind", ["sd1", "sd2", "sdxl"])


def adapter_of(kind: Kind, *, mixed: bool = True) -> Adapter:
    """Return an adapter for the tiny pipeline."""
    tokens = Conditioning(torch.zeros(1, 24, 32).half())
    family = "sdxl" if kind == "sdxl" else "sd"
    latents = torch.zeros(1, 4, 16, 16).half()
    return Adapter(filled(pipeline(kind).unet, mixed=mixed), tokens, latents, record(family=family))


@EACH_TOOL
@EACH_KIND
def test_other_tools_get_the_same_prediction(kind: Kind, tool: Tool, tmp_path: Path) -> None:
    """What diffusers' own loaders read from an export does to the UNet what the adapter does."""
    # diffusers misreads the alphas of a kohya file whose layers differ in rank, and says so.
    whole, adapter = pipeline(kind), adapter_of(kind, mixed=tool != "kohya")
    plain = predict(whole.unet)
    ours = predict(whole.unet, adapter.lora)

    export_lora(adapter, tmp_path / "x.safetensors", tool)
    whole.load_lora_weights(tmp_path, weight_name="x.safetensors", adapter_name="exported")
    try:
        theirs = predict(whole.unet)
    finally:
        whole.unload_lora_weights()

    torch.testing.assert_close(ours, theirs)
    assert (ours - plain).abs().max() > 0.01


def test_kohya_files_say_their_scale() -> None:
    """Beside every pair stands an alpha, equal to the pair's own rank."""
    tensors = safetensors.torch.load(_exported(adapter_of("sd1"), "kohya"))
    ends = {name.partition(".")[0] for name in tensors}

    assert len(tensors) == 3 * len(ends)
    assert {2, 3} == {int(tensors[f"{end}.alpha"]) for end in ends}
    for end in ends:
        assert tensors[f"{end}.lora_down.weight"].shape[0] == int(tensors[f"{end}.alpha"])


def _exported(adapter: Adapter, tool: Tool) -> bytes:
    """Return the content of an export."""
    written: list[bytes] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "imagic_lora.adapters.exporting.write_atomic",
            lambda _, data, **__: written.append(data),
        )
        export_lora(adapter, "x", tool)
    return written[0]


@EACH_TOOL
def test_latents_and_record_stay_behind(tool: Tool) -> None:
    """An export has the weights alone: no latents, no embedding and no record of ours."""
    data = _exported(made(), tool)

    assert 3 >= len(safetensors.torch.load(data))
    assert b"imagic_lora.latents" not in data
    assert made().record.image_sha256.encode() not in data


@EACH_TOOL
def test_the_same_adapter_gives_the_same_export(tool: Tool) -> None:
    """The bytes of an export depend on the adapter alone."""
    assert _exported(made(), tool) == _exported(made(), tool)


def test_an_export_replaces_nothing_unasked(tmp_path: Path) -> None:
    """A file that exists stays unless force is given."""
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"precious")

    with pytest.raises(OutputError):
        export_lora(made(), path, "kohya")
    assert b"precious" == path.read_bytes()

    export_lora(made(), path, "kohya", force=True)
    assert b"precious" != path.read_bytes()


def test_an_unknown_tool_is_refused(tmp_path: Path) -> None:
    """The error says what is allowed and what may have been meant."""
    with pytest.raises(SettingsError, match=r"'kohia', allowed is .* mean 'kohya'"):
        export_lora(made(), tmp_path / "x.safetensors", "kohia")  # type: ignore[arg-type]
