"""`imagic-lora edit`: adapters to edited pictures."""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from imagic_lora.adapters.adapter import Adapter
from imagic_lora.cli.flags import read_settings
from imagic_lora.cli.loading import load_editor
from imagic_lora.cli.outputs import Gallery, Spot
from imagic_lora.cli.terminal import Terminal
from imagic_lora.editing.picture import Edit
from imagic_lora.editor import ImagicEditor
from imagic_lora.errors import AdapterMismatchError, ModelError, PromptError
from imagic_lora.images.reading import open_image
from imagic_lora.settings import EditSettings


def run(args: argparse.Namespace, terminal: Terminal) -> None:
    """Make one picture for each adapter, alpha and seed."""
    adapters = {path: Adapter.load(path) for path in args.adapters}
    for path, adapter in adapters.items():
        if not (args.target or adapter.record.target):
            raise PromptError(f"'{path}' was fitted without a target, so the edit needs --target.")
    settings = read_settings(args, EditSettings, seed=args.seeds[0])
    mask = None if args.mask is None else open_image(args.mask)
    named = {path.stem: adapter for path, adapter in adapters.items()}
    if len(named) < len(adapters):  # of the same name, from several folders
        named = {f"{n}-{path.stem}": adapters[path] for n, path in enumerate(adapters, start=1)}
    gallery = Gallery(_spots(args, named, settings), args.out, args.force)
    editor = _load_editor(args, named, terminal)
    gallery.fill(partial(_edit, editor, terminal, target=args.target or "", mask=mask), terminal)


def _edit(editor: ImagicEditor, terminal: Terminal, *, alpha: float | str, **values: Any) -> Edit:
    """Make one picture; say which strength was found if none was given."""
    if not isinstance(alpha, str):
        return editor.edit(alpha=alpha, **values)
    strength = editor.find_alpha(**values)
    terminal.tell(f"Took {strength.explain()}")
    return strength.best


def _spots(
    args: argparse.Namespace, adapters: Mapping[str, Adapter], settings: EditSettings
) -> list[Spot]:
    """Return the grid: a row for each adapter and seed, a column for each alpha."""
    several = len(adapters) > 1
    return [
        Spot(
            name=(f"{name}_" if several else "") + f"alpha_{alpha}_seed_{seed}.png",
            row=(f"{name}, " if several else "") + f"seed {seed}",
            label=f"alpha {alpha}" if isinstance(alpha, str) else f"alpha {alpha:g}",
            values={"adapter": adapter, "alpha": alpha, "settings": replace(settings, seed=seed)},
        )
        for name, adapter in adapters.items()
        for seed in args.seeds
        for alpha in args.alpha
    ]


def _load_editor(
    args: argparse.Namespace, adapters: Mapping[str, Adapter], terminal: Terminal
) -> ImagicEditor:
    """Load the model that was asked for, else the one that the adapters were fitted on."""
    if args.model is not None:
        return load_editor(args, args.model, terminal)
    models = list(dict.fromkeys(adapter.record.base_model for adapter in adapters.values()))
    if len(models) > 1:
        raise AdapterMismatchError(
            f"The adapters were fitted on several models, {', '.join(map(repr, models))}; edit "
            "those of one model at a time, or say with --model which one to use."
        )
    try:
        return load_editor(args, models[0], terminal)
    except ModelError as error:
        raise ModelError(
            f"{error} That is the model which the adapter names; if it is elsewhere, say where "
            "with --model."
        ) from error
