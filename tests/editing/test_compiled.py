"""A denoiser that its user compiles or lays out anew, as the docs on memory say."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from imagic_lora import Adapter, EditSettings, FitSettings, ImagicEditor
from imagic_lora.images.pixels import difference
from tests.support.tiny import Kind

QUICK = EditSettings(steps=2)


@pytest.fixture
def graphs() -> Iterator[list[Any]]:
    """Give what was compiled in a test, and forget it all afterwards."""
    torch._dynamo.reset()
    yield []
    torch._dynamo.reset()


@pytest.mark.early
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own
def test_adapters_switch_in_a_compiled_model(
    folder: Callable[[Kind], Path], picture: Image.Image, graphs: list[Any]
) -> None:
    """Edits are the same as without, another adapter compiles nothing, a fit still works."""

    def backend(graph: Any, _: object) -> Any:
        graphs.append(graph)
        return graph.forward

    def edit(editor: ImagicEditor, adapter: Adapter) -> Image.Image:
        return editor.edit(adapter, target="a horse", settings=QUICK).image

    plain, compiled = (ImagicEditor.from_pretrained(folder("sd1")) for _ in range(2))
    fits = [
        plain.fit(picture, source="a", settings=FitSettings(steps=2, rank=2, seed=seed))
        for seed in (0, 1)
    ]
    denoiser: Any = compiled.model.denoiser
    denoiser.compile_repeated_blocks(backend=backend)

    first = edit(compiled, fits[0])
    count = len(graphs)
    second = edit(compiled, fits[1])

    assert 0 < count == len(graphs)
    for image, adapter in zip((first, second), fits, strict=True):
        assert image.tobytes() == edit(plain, adapter).tobytes()
    again = compiled.fit(picture, source="a", settings=FitSettings(steps=2, rank=2))
    torch.testing.assert_close(fits[0].record.losses, again.record.losses)


def test_weights_may_be_laid_out_channels_last(
    folder: Callable[[Kind], Path], picture: Image.Image
) -> None:
    """Fits and edits are the same up to rounding, and the layout stays."""
    plain, other = (ImagicEditor.from_pretrained(folder("sd1")) for _ in range(2))
    other.model.denoiser.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    settings = FitSettings(steps=3, rank=2)

    fits = [one.fit(picture, source="a", settings=settings) for one in (plain, other)]
    edits = [one.edit(fits[0], target="a horse", settings=QUICK).image for one in (plain, other)]

    torch.testing.assert_close(fits[0].record.losses, fits[1].record.losses)
    assert 1 / 255 >= difference(*edits)
    weight = other.model.denoiser.get_parameter("conv_in.weight")
    assert weight.is_contiguous(memory_format=torch.channels_last)
