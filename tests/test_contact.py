from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from imagic_lora import (
    Adapter,
    AdapterMismatchError,
    EditSettings,
    ImagicEditor,
    Progress,
    SettingsError,
    contact_sheet,
)
from imagic_lora.images.sheet import Cell, sheet
from tests.support.handmade import filled
from tests.support.tiny import Kind

Editor = Callable[[Kind], ImagicEditor]
Fitted = Callable[[Kind], Adapter]
QUICK = EditSettings(steps=2)


def difference(one: Image.Image, other: Image.Image) -> int:
    """Return the largest difference of brightness between two pictures, of 255."""
    return int(np.abs(np.asarray(one, int) - np.asarray(other, int)).max())


@pytest.mark.parametrize("batch", [1, 2, 8])
def test_one_prompt_over_many_adapters(batch: int, editor: Editor, adapter: Fitted) -> None:
    """The sheet shows each adapter's own edit under its name, however many are made at a time."""
    unet, fitted = editor("sd1").model.denoiser, adapter("sd1")
    people = {
        "Ann": fitted,
        "Bob": replace(fitted, lora=filled(unet, seed=1)),
        "Cid": replace(fitted, lora=filled(unet, seed=2, rank=1)),
    }
    seen: list[Progress] = []

    found = contact_sheet(
        editor("sd1"),
        people,
        target="a horse",
        alpha=1.2,
        batch=batch,
        settings=QUICK,
        on_progress=seen.append,
    )

    alone = [
        Cell(
            editor("sd1").edit(each, target="a horse", alpha=1.2, settings=QUICK).image,
            name,
        )
        for name, each in people.items()
    ]
    assert difference(sheet([alone]), found) <= 1
    assert difference(sheet([alone[::-1]]), found) > 8
    assert 2 * -(-3 // batch) == sum(each.phase == "sample" for each in seen)


def test_adapters_of_several_families_are_refused(editor: Editor, adapter: Fitted) -> None:
    """One adapter of another model is named by its row."""
    with pytest.raises(AdapterMismatchError, match="row 2"):
        contact_sheet(editor("sd1"), {kind: adapter(kind) for kind in ("sd1", "sd2")})


@pytest.mark.parametrize(("count", "batch"), [(0, 4), (1, 0)])
def test_a_sheet_needs_something_to_show(
    count: int, batch: int, editor: Editor, adapter: Fitted
) -> None:
    """Without adapters, or with no room for one, nothing is made."""
    people = {str(number): adapter("sd1") for number in range(count)}

    with pytest.raises(SettingsError, match=f"given {count} and {batch}"):
        contact_sheet(editor("sd1"), people, batch=batch)
