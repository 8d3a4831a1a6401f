"""Files in which layers are named, and held together, as the makers of the transformers do."""

from pathlib import Path

import pytest
import torch

from imagic_lora import Adapter, export_lora
from imagic_lora.adapters.adopting import read_lora
from imagic_lora.adapters.file import write_tensors
from imagic_lora.adapters.fused import groups, joined
from imagic_lora.adapters.weights import Pair, Weights
from imagic_lora.conditioning import Conditioning
from imagic_lora.seeding import generator, randn
from tests.support.handmade import denoiser, filled, predict, record
from tests.support.tiny import FLOWS, Kind, build

CONVERTED = pytest.mark.parametrize("kind", ["flux2", "zimage"])
"""Those whose foreign files diffusers converts itself."""

MAKERS = {"flux2": "bfl", "sd3": "sai", "zimage": "tongyi"}


def theirs(kind: Kind, folder: Path) -> torch.Tensor:
    """Return what the plain pipeline predicts with the file x.safetensors of a folder."""
    whole = build(kind)
    whole.load_lora_weights(folder, weight_name="x.safetensors", adapter_name="x")
    return predict(whole.transformer)


@CONVERTED
def test_what_is_exported_is_read_by_diffusers_own_converters(kind: Kind, tmp_path: Path) -> None:
    """An export under the makers' names predicts there what the adapter predicts here."""
    transformer, targets = denoiser(kind)
    weights = filled(transformer, targets=targets, mixed=False)
    latents, tokens = torch.zeros(1, 4, 16, 16).half(), torch.zeros(1, 4, 32).half()
    adapter = Adapter(weights, Conditioning(tokens), latents, record(family=kind))

    export_lora(adapter, tmp_path / "x.safetensors", "kohya")

    ours = predict(transformer, weights)
    torch.testing.assert_close(theirs(kind, tmp_path), ours, rtol=1e-3, atol=1e-3)
    assert (ours - predict(transformer)).abs().max() > 0.01


@CONVERTED
@pytest.mark.parametrize("alpha", [4.0, 1.5])
def test_a_foreign_file_means_what_diffusers_makes_of_it(
    kind: Kind, alpha: float, tmp_path: Path
) -> None:
    """Matrices of three layers are cut into those, whatever the scale."""
    transformer, targets = denoiser(kind)
    fresh = filled(transformer, targets=targets, mixed=False)
    file: dict[str, torch.Tensor] = {}
    for name, paths in groups(fresh.pairs, MAKERS[kind]).items():
        key, drawn = "lora_unet_" + name.replace(".", "_"), generator(0, name)
        outs = sum(len(fresh.pairs[path].up) for path in paths)
        inner = fresh.pairs[paths[0]].down.shape[1]
        file |= {
            f"{key}.lora_down.weight": randn((4, inner), drawn) / 2,
            f"{key}.lora_up.weight": randn((outs, 4), drawn) / 2,
            f"{key}.alpha": torch.tensor(alpha),
        }
    data = write_tensors(file, {})
    (tmp_path / "x.safetensors").write_bytes(data)

    found = read_lora(data, [path for path, _ in transformer.named_modules()])

    ours = predict(transformer, found)
    torch.testing.assert_close(theirs(kind, tmp_path), ours, rtol=1e-2, atol=1e-2)
    assert fresh.pairs.keys() == found.pairs.keys()
    assert (ours - predict(transformer)).abs().max() > 0.05


@pytest.mark.parametrize("kind", FLOWS)
def test_every_layer_has_a_makers_name(kind: Kind) -> None:
    """Of all that a fit adapts, nothing is left out of a joined file, and no size is mistaken."""
    transformer, targets = denoiser(kind)
    weights = filled(transformer, targets=targets, mixed=False)

    named = dict(joined(weights.pairs, MAKERS[kind]))

    covered = [path for paths in groups(weights.pairs, MAKERS[kind]).values() for path in paths]
    assert set(weights.pairs) <= set(covered)
    assert len(covered) == len(set(covered))
    total = sum(pair.up.shape[0] * pair.down.shape[1] for pair in weights.pairs.values())
    assert total == sum(pair.up.shape[0] * pair.down.shape[1] for pair in named.values())


def test_layers_that_are_missing_are_zeros() -> None:
    """A LoRA of the query alone leaves key and value as they are."""
    pair = Pair(torch.ones(2, 3).half(), torch.ones(4, 2).half())
    weights = Weights.of({"transformer_blocks.0.attn.to_k": pair})

    ((name, whole),) = joined(weights.pairs, "bfl")

    assert "double_blocks.0.img_attn.qkv" == name
    assert [0.0] * 4 + [2.0] * 4 + [0.0] * 4 == (whole.up @ whole.down)[:, 0].tolist()
