"""Edits of drawn portraits: held-out ones, one change each, and the prompt that asks for it.

In the drawn world the ideal edit is known: it is the same portrait with one attribute changed. The
cases of the two splits come from different portraits. Written to a folder, they are a set of one's
own pictures, as `imagic-lora bench own` reads it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from PIL import Image

from benchmarks.world.captions import caption_naming
from benchmarks.world.drawing import draw
from benchmarks.world.portrait import ATTRIBUTES, Portrait, held_out_portrait

Split = Literal["tune", "report"]
"""Settings are chosen on one, figures are quoted from the other."""

Kind = Literal["add", "remove", "hair", "ears", "expression", "clothes", "background", "layout"]
Style = Literal["terse", "full", "omitting"]

KINDS: tuple[Kind, ...] = get_args(Kind)
STYLES: tuple[Style, ...] = get_args(Style)
FIRST: dict[Split, int] = {"tune": 200_000, "report": 300_000}
"""The held-out portraits from these numbers on belong to a split."""

CHANGED = 8
"""Difference of brightness, of 255, from which a pixel of the ideal edit counts as changed."""

_MOVES = ("arms", "head")


@dataclass(frozen=True)
class PortraitCase:
    """One edit of a portrait.

    A terse prompt names the change alone; a full one names all that the ideal edit shows; an
    omitting one names the change and half of the rest.

    Attributes:
        name: Names the case in files; unique within a split.
        kind: Kind of edit.
        style: How the prompt is written.
        source: Caption of the input that names what the target names, and as it is in the input.
        target: The prompt.
        attribute: The attribute that changes.
        before: What the input shows.
        after: What the ideal edit shows.
        image: The input.
        ideal: The ideal edit.
    """

    name: str
    kind: str
    style: str
    source: str
    target: str
    attribute: str
    before: Portrait
    after: Portrait
    image: Image.Image = field(repr=False)
    ideal: Image.Image = field(repr=False)

    @property
    def notes(self) -> dict[str, Any]:
        """What methods and the judge are told besides."""
        after = {name: getattr(self.after, name) for name in ATTRIBUTES}
        return {"style": self.style, "attribute": self.attribute, "after": after}

    def write(self, folder: Path) -> dict[str, Any]:
        """Write the pictures of the case to a folder of one's own pictures, and return its item.

        Args:
            folder: The folder.
        """
        before, after = (np.asarray(one, np.int16) for one in (self.image, self.ideal))
        changed = np.abs(after - before).max(axis=2) >= CHANGED
        mask = Image.fromarray(np.where(changed, 255, 0).astype(np.uint8))
        pictures = {"picture": self.image, "ideal": self.ideal, "mask": mask}
        files = {name: f"{name}/{self.name}.png" for name in pictures}
        for name, picture in pictures.items():
            path = folder / files[name]
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path)
        told = {"source": self.source, "target": self.target}
        return {"name": self.name, "kind": self.kind, **told, **files, **self.notes}


def make_cases(split: Split, count: int, *, photographed: bool = False) -> list[PortraitCase]:
    """Return the first cases of a split: all kinds in turn, in all styles in turn.

    Args:
        split: Which portraits to take.
        count: How many; 24 have every kind in every style.
        photographed: Whether they look like photographs, or are plainly drawn.
    """
    return [make_case(split, index, photographed=photographed) for index in range(count)]


def make_case(split: Split, index: int, *, photographed: bool = False) -> PortraitCase:
    """Return one case of a split.

    Args:
        split: Which portraits to take.
        index: Number of the case, from 0.
        photographed: Whether it looks like a photograph, or is plainly drawn.
    """
    kind, style = KINDS[index % len(KINDS)], STYLES[index % len(STYLES)]
    generator = np.random.default_rng((FIRST[split], index))
    attribute = _attribute(kind, index)
    found = held_out_portrait(FIRST[split] + index, photographed=photographed)
    portrait = _suited(found, kind, generator)
    return PortraitCase(
        name=f"{index:03}-{kind}-{style}",
        **_asked(kind, style, attribute, portrait, generator),
    )


def _asked(
    kind: Kind, style: Style, attribute: str, portrait: Portrait, generator: np.random.Generator
) -> dict[str, Any]:
    """Return one edit of a portrait: a case but for its name."""
    after = portrait.replace(**{attribute: _new_value(portrait, kind, attribute, generator)})
    named = _named(style, attribute, generator)
    return {
        "kind": kind,
        "style": style,
        "attribute": attribute,
        "before": portrait,
        "after": after,
        "image": draw(portrait),
        "ideal": draw(after),
        # A terse source names the subject alone: "a girl", of "a girl with a flower".
        "source": caption_naming(portrait, named - {attribute} if style == "terse" else named),
        "target": caption_naming(after, named),
    }


@dataclass(frozen=True)
class AnotherTarget(PortraitCase):
    """One of several edits of the same portrait.

    Attributes:
        first: The prompt of the first of them.
        captions: Captions of the input, by what they name.
    """

    first: str
    captions: Mapping[str, str]

    @property
    def notes(self) -> dict[str, Any]:
        """The same, and what one fit for all of the edits may be told."""
        return {**super().notes, "first": self.first, "captions": {**self.captions}}


def make_targets(
    split: Split, index: int, count: int, *, photographed: bool = False
) -> list[AnotherTarget]:
    """Return several edits of one portrait, each of another kind, their prompts in one style.

    Args:
        split: Which portraits to take.
        index: Number of the portrait, from 0.
        count: How many edits, up to 7.
        photographed: Whether it looks like a photograph, or is plainly drawn.
    """
    style = STYLES[index % len(STYLES)]
    generator = np.random.default_rng((FIRST[split], index, count))
    # A portrait wears something or it does not, so one of two kinds has no sense on it.
    kinds = [kind for kind in KINDS if kind != ("remove", "add")[index % 2]]
    kinds = [kinds[(index + place) % len(kinds)] for place in range(count)]
    portrait = held_out_portrait(FIRST[split] + index, photographed=photographed)
    for kind in (KINDS[index % 2], "layout"):
        portrait = _suited(portrait, kind, generator)
    captions = {
        "hair and ears": caption_naming(portrait, ("hair", "ears")),
        "everything": caption_naming(portrait, ATTRIBUTES),
    }
    edits = [
        _asked(kind, style, _attribute(kind, index * len(KINDS)), portrait, generator)
        for kind in kinds
    ]
    first = edits[0]["target"]
    return [
        AnotherTarget(
            name=f"{index:03}-{edit['kind']}-{style}", first=first, captions=captions, **edit
        )
        for edit in edits
    ]


def _attribute(kind: Kind, index: int) -> str:
    """Return the attribute that an edit of a kind changes; layout moves alternate."""
    if kind in ("add", "remove"):
        return "accessory"
    return _MOVES[index // len(KINDS) % 2] if kind == "layout" else kind


def _suited(portrait: Portrait, kind: Kind, generator: np.random.Generator) -> Portrait:
    """Return the portrait, changed where an edit of this kind would make no sense on it."""
    worn = [value for value in ATTRIBUTES["accessory"] if value != "none"]
    if kind == "add":
        return portrait.replace(accessory="none")
    if kind == "remove":
        return portrait.replace(accessory=_choose(worn, generator))
    return portrait.replace(arms="down", head="front") if kind == "layout" else portrait


def _new_value(
    portrait: Portrait, kind: Kind, attribute: str, generator: np.random.Generator
) -> str:
    """Return another value than the portrait's."""
    if kind == "remove":
        return "none"
    now = getattr(portrait, attribute)
    return _choose([value for value in ATTRIBUTES[attribute] if value != now], generator)


def _named(style: Style, attribute: str, generator: np.random.Generator) -> frozenset[str]:
    """Return the attributes that a prompt names besides the subject."""
    if style == "terse":
        return frozenset({attribute})
    others = [name for name in ATTRIBUTES if name not in ("subject", attribute)]
    if style == "full":
        return frozenset({attribute, *others})
    kept = generator.permutation(len(others))[: len(others) // 2]
    return frozenset({attribute, *(others[i] for i in kept)})


def _choose(values: Iterable[str], generator: np.random.Generator) -> str:
    """Return one of the values."""
    listed = list(values)
    return listed[generator.integers(len(listed))]
