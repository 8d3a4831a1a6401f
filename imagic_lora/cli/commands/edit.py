"""`imagic-lora edit`: adapters to edited pictures."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from imagic_lora.cli.flags import (
    command,
    flag,
    output,
    path,
    place,
    prompt,
    settings_flags,
    several_of,
    switch,
    text,
)
from imagic_lora.cli.model import BaseModel, base_model
from imagic_lora.cli.terminal import Terminal
from imagic_lora.errors import (
    AdapterMismatchError,
    ImageError,
    ModelError,
    PromptError,
    SettingsError,
    quoted,
)
from imagic_lora.progress import OnProgress
from imagic_lora.settings import ALPHA, SEED, EditSettings

if TYPE_CHECKING:
    from PIL import Image

    from imagic_lora.adapters.adapter import Adapter
    from imagic_lora.cli.outputs import Spot
    from imagic_lora.editing.picture import Edit
    from imagic_lora.editing.recipe import Recipe
    from imagic_lora.editor import ImagicEditor
    from imagic_lora.models.scorer import PictureScorer

Alpha = float | Literal["auto"]


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What is to be made of each adapter.

    Attributes:
        target: Prompt to edit towards, or "" for the fit's own.
        alphas: Prompt strengths, a column each.
        seeds: Seeds, a row each.
        mask: Where the edit may change the input, or None for everywhere.
        settings: How to denoise.
        adapter_sha256: Hash of the only adapter that it can be made of, or "" for any.
        scorer: Who finds a strength, or None for the base model.
    """

    target: str
    alphas: tuple[Alpha, ...]
    seeds: tuple[int, ...]
    mask: "Image.Image | str | None"
    settings: EditSettings
    adapter_sha256: str = ""
    scorer: "PictureScorer | None" = None


@command("edit", "make edited pictures from an adapter")
@place(
    "adapters",
    "FILE...",
    "adapters that fit has saved; the pictures of several stand on one sheet",
    many=True,
)
@flag(
    "--target",
    read=prompt,
    metavar="TEXT",
    help="prompt to edit towards; default: the one that was given to the fit",
)
@flag(
    "--from",
    "picture",
    read=path,
    metavar="PICTURE",
    help="make an edited PNG again: prompt, alpha, seed and settings are those that it carries",
)
@several_of("--alpha", ALPHA, words=("auto",), default="auto")
@flag(
    "--mask",
    read=text,
    metavar="IMAGE|TEXT",
    help="picture of the input's shape: white where the edit may change it, black where the input "
    "stays; or words for what may change, such as 'the hat'",
)
@flag(
    "--scorer",
    read=text,
    metavar="MODEL",
    help="who finds the strength in the base model's place: a model like CLIP or SigLIP, its folder or "
    "the Hub name of one that was downloaded before",
)
@several_of("--seeds", SEED, default=EditSettings.seed)
@output("PATH", "one .png for one picture, or a folder")
@base_model("", "default: the one that the adapter was fitted on")
@switch("--yes", "use the base model that the adapter names, without being asked")
@settings_flags(EditSettings, "Settings of the pictures", skip=("seed",))
@click.pass_obj
def edit(
    terminal: Terminal,
    *,
    adapters: tuple[Path, ...],
    picture: Path | None,
    target: str | None,
    alpha: tuple[Alpha, ...],
    mask: str | None,
    scorer: str | None,
    seeds: tuple[int, ...],
    out: Path,
    force: bool,
    yes: bool,
    base: BaseModel,
    settings: EditSettings,
) -> None:
    """Make one picture for each adapter, seed and alpha: a row for the former two."""
    from imagic_lora.cli.outputs import Gallery
    from imagic_lora.editing import masks

    asked = _Asked(
        target=target or "",
        alphas=alpha,
        seeds=seeds,
        mask=None if mask is None else masks.words_of(mask) or masks.opened(mask),
        settings=settings,
    )
    if picture is not None:
        asked = _as_before(picture, asked)
    loaded = _loaded(adapters, asked.target)
    if picture is not None:
        _check_adapter(picture, asked.adapter_sha256, loaded)
    named = _named(loaded)
    if scorer is not None:
        asked = replace(asked, scorer=_scorer(scorer, asked.alphas))
    gallery = Gallery(_spots(list(named), asked), out, force)
    editor = _load_editor(base, named.values(), terminal, yes=yes)

    def make(on_progress: OnProgress) -> Iterator["Edit"]:
        for adapter in named.values():
            yield from _edits(editor, adapter, asked, terminal, on_progress)

    gallery.fill(make, terminal)


def _scorer(name: str, alphas: Sequence[Alpha]) -> "PictureScorer":
    """Load what finds a strength; one is to be found."""
    from imagic_lora.models.scorer import PictureScorer

    if "auto" not in alphas:
        raise SettingsError(
            "--scorer finds a strength, and here each is given; ask for --alpha auto."
        )
    return PictureScorer(name)


def _as_before(picture: Path, asked: _Asked) -> _Asked:
    """Return what made a picture, under the mask that it carries or that is given again."""
    from imagic_lora.editing.recipe import read_recipe

    recipe = read_recipe(picture)
    if not isinstance(recipe.settings, EditSettings):
        raise ImageError(f"'{picture}' was made by img2img, not from an adapter.")
    mask = recipe.mask if asked.mask is None else asked.mask
    if not _is_same(asked.mask, recipe) and (asked.mask is not None or mask is None):
        given = "another one was given" if asked.mask else "none was given"
        made = "under a mask" if recipe.mask_sha256 else "without a mask"
        raise ImageError(f"'{picture}' was made {made}, and {given}; give the same with --mask.")
    return replace(
        asked,
        mask=mask,
        target=recipe.target,
        alphas=recipe.alphas,
        seeds=recipe.seeds,
        settings=recipe.settings,
        adapter_sha256=recipe.adapter_sha256,
    )


def _is_same(mask: "Image.Image | str | None", recipe: "Recipe") -> bool:
    """Return whether a mask is the one that a picture was made under."""
    from imagic_lora.images.png import image_hash

    if isinstance(mask, str):
        return mask == recipe.mask_words
    return recipe.mask_sha256 == ("" if mask is None else image_hash(mask))


def _check_adapter(picture: Path, wanted: str, adapters: Mapping[Path, "Adapter"]) -> None:
    """Raise unless the one adapter has the hash of that which a picture was made from."""
    if [adapter.sha256 for adapter in adapters.values()] != [wanted]:
        raise AdapterMismatchError(
            f"'{picture}' was made from the adapter with the hash {wanted[:16]}, and "
            f"{', '.join(map(str, adapters))} is another; give that one alone."
        )


def _loaded(paths: Sequence[Path], target: str) -> dict[Path, "Adapter"]:
    """Load the adapters; each needs a target."""
    from imagic_lora.adapters.adapter import Adapter

    adapters = {file: Adapter.load(file) for file in paths}
    for file, adapter in adapters.items():
        if not (target or adapter.record.target):
            raise PromptError(f"'{file}' was fitted without a target, so the edit needs --target.")
    return adapters


def _named(adapters: Mapping[Path, "Adapter"]) -> dict[str, "Adapter"]:
    """Return the adapters by the names of their files, numbered where those are not enough."""
    named = {path.stem: adapter for path, adapter in adapters.items()}
    if len(named) == len(adapters):
        return named
    return {f"{n}-{path.stem}": adapters[path] for n, path in enumerate(adapters, start=1)}


def _spots(names: Sequence[str], asked: _Asked) -> list["Spot"]:
    """Return the grid: a row for each adapter and seed, a column for each alpha."""
    from imagic_lora.cli.outputs import Spot

    several = len(names) > 1
    return [
        Spot(
            name=(f"{name}_" if several else "") + f"alpha_{alpha}_seed_{seed}.png",
            row=(f"{name}, " if several else "") + f"seed {seed}",
            label=f"alpha {alpha}" if isinstance(alpha, str) else f"alpha {alpha:g}",
        )
        for name in names
        for seed in asked.seeds
        for alpha in asked.alphas
    ]


def _edits(
    editor: "ImagicEditor",
    adapter: "Adapter",
    asked: _Asked,
    terminal: Terminal,
    on_progress: OnProgress,
) -> Iterator["Edit"]:
    """Yield the pictures of one adapter; of a strength that was found, say which it is."""
    numbers = [alpha for alpha in asked.alphas if not isinstance(alpha, str)]
    how: dict[str, Any] = {"target": asked.target, "mask": asked.mask, "on_progress": on_progress}
    settings = asked.settings
    swept = editor.sweep(adapter, alphas=numbers, seeds=asked.seeds, settings=settings, **how)
    for seed in asked.seeds:
        for alpha in asked.alphas:
            if not isinstance(alpha, str):
                yield next(swept)
                continue
            found = editor.find_alpha(
                adapter, scorer=asked.scorer, settings=replace(settings, seed=seed), **how
            )
            terminal.tell(f"Took {found.explain()}")
            yield found.best


def _load_editor(
    base: BaseModel, adapters: Iterable["Adapter"], terminal: Terminal, *, yes: bool
) -> "ImagicEditor":
    """Load the model that was asked for, else the one that the adapters were fitted on."""
    from imagic_lora.cli.consent import ask_for

    if base.model:
        return base.load(terminal)
    models = list(dict.fromkeys(adapter.record.base_model for adapter in adapters))
    if len(models) > 1:
        raise AdapterMismatchError(
            f"The adapters were fitted on several models, {', '.join(map(quoted, models))}; edit "
            "those of one model at a time, or say with --model which one to use."
        )
    ask_for(models[0], terminal, yes=yes)
    try:
        return replace(base, model=models[0]).load(terminal)
    except ModelError as error:
        raise ModelError(
            f"{error} That is the model which the adapter names; if it is elsewhere, say where "
            "with --model."
        ) from error
