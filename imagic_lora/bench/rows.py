"""The rows of a table: the product, and what a reader needs beside it to read its figures.

Doing nothing wins most scores of what should stay, so the input itself and what the autoencoder
makes of it are rows too. Every row has one setting for all items; nothing is chosen by a score.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from imagic_lora.bench.choices import INSTRUCT, LEDITS, METHODS
from imagic_lora.bench.inputs import Inputs
from imagic_lora.bench.items import Item
from imagic_lora.bench.rivals.base import Rival
from imagic_lora.bench.rivals.instruct import InstructPix2Pix
from imagic_lora.bench.rivals.ledits import PIPELINES, LeditsPP
from imagic_lora.bench.rivals.plain import Autoencoder, Img2Img
from imagic_lora.errors import InputError
from imagic_lora.models.blueprint import find_blueprint
from imagic_lora.runs.jobs import Jobs, read_jobs

STRENGTHS: Mapping[str, float | str] = MappingProxyType({"imagic_lora": 1.0, "auto": "auto"})
"""The prompt strengths of the product, by the method that is asked for."""

TITLES: Mapping[str, str] = MappingProxyType(
    {"imagic_lora": "imagic_lora at 1", "auto": "imagic_lora, auto"}
)
"""What their rows are called."""

_PLAIN: Mapping[str, tuple[Rival, ...]] = MappingProxyType(
    {"autoencoder": (Autoencoder(),), "img2img": tuple(map(Img2Img, (0.4, 0.6, 0.8)))}
)


def methods_of(
    asked: Sequence[str], model: str | Path, instruct: str | None, items: Sequence[Item]
) -> tuple[str, ...]:
    """Return the methods that are asked for, or all that there are.

    Args:
        asked: Names of methods; none is all.
        model: The model, or the folder that lends it its configuration.
        instruct: Pipeline folder of InstructPix2Pix, or None.
        items: The items.

    Raises:
        InputError: When one is asked for that there is not.
    """
    lacking = dict[str, str]()
    if find_blueprint(model).family.pipelines[0] not in PIPELINES:
        lacking[LEDITS] = f"diffusers has no LEDITS++ for a model like '{model}'"
    if instruct is None:
        lacking[INSTRUCT] = "there is no pipeline folder of it; give one by --instruct-pix2pix"
    elif not (Path(instruct) / "model_index.json").is_file():
        raise InputError(
            f"The folder of InstructPix2Pix was '{instruct}', which has no 'model_index.json'; give "
            "a pipeline folder, as diffusers saves it."
        )
    elif not all(item.instruction for item in items):
        lacking[INSTRUCT] = "the benchmark has no instructions, which it needs"
    for name in asked:
        if name in lacking:
            raise InputError(f"The method '{name}' was asked for, but {lacking[name]}.")
    return tuple(asked) or tuple(name for name in METHODS if name not in lacking)


def rivals_of(methods: Sequence[str], instruct: str | None = None) -> tuple[Rival, ...]:
    """Return the rivals among methods.

    Args:
        methods: Names of methods.
        instruct: Pipeline folder of InstructPix2Pix, where it is among them.
    """
    found = [rival for name in methods for rival in _PLAIN.get(name, ())]
    if LEDITS in methods:
        found.append(LeditsPP())
    if INSTRUCT in methods and instruct is not None:
        found.append(InstructPix2Pix(instruct))
    return tuple(found)


@dataclass(frozen=True)
class Settings:
    """One setting of the product for all items.

    Attributes:
        fit: Settings of the fits that are not the defaults, by name.
        edit: Those of the edits.
    """

    fit: Mapping[str, Any]
    edit: Mapping[str, Any]


def jobs_of(
    items: Sequence[tuple[int, Item]], methods: Sequence[str], inputs: Inputs, settings: Settings
) -> Jobs:
    """Return what a run of the product is to do: a row for each item and strength.

    Args:
        items: The items with their numbers.
        methods: Names of methods, some of them the product's.
        inputs: The pictures of the items.
        settings: How to fit and edit.
    """
    rows = []
    for number, item in items:
        given = inputs.of(item)
        width, height = given.size
        for name in [each for each in methods if each in STRENGTHS]:
            row = {
                "id": f"{number:05d}_{name}",
                "image": str(given.path.absolute()),
                "target": item.target,
                "source": item.source,
                "alpha": STRENGTHS[name],
                "fit": {**settings.fit, "width": width, "height": height},
                "edit": dict(settings.edit),
                "item": item.name,
                "row": TITLES[name],
            }
            rows.append({key: value for key, value in row.items() if value is not None})
    return read_jobs(rows)
