"""`imagic-lora edit`: an adapter to edited pictures."""

import argparse
from dataclasses import replace
from functools import partial

from imagic_lora.adapter import Adapter
from imagic_lora.cli.flags import read_settings
from imagic_lora.cli.loading import load_editor
from imagic_lora.cli.pictures import Gallery, Spot
from imagic_lora.cli.terminal import Terminal
from imagic_lora.editor import ImagicEditor
from imagic_lora.errors import ModelError, PromptError
from imagic_lora.settings import EditSettings


def run(args: argparse.Namespace, terminal: Terminal) -> None:
    """Make one picture for each alpha and seed."""
    adapter = Adapter.load(args.adapter)
    if not (args.target or adapter.record.target):
        raise PromptError(
            f"'{args.adapter}' was fitted without a target, so the edit needs --target."
        )
    settings = read_settings(args, EditSettings, seed=args.seeds[0])
    gallery = Gallery(_spots(args, settings), args.out, args.force)
    editor = _load_editor(args, adapter, terminal)
    gallery.fill(partial(editor.edit, adapter, target=args.target or ""), terminal)


def _spots(args: argparse.Namespace, settings: EditSettings) -> list[Spot]:
    """Return the grid: a row for each seed, a column for each alpha."""
    return [
        Spot(
            name=f"alpha_{alpha}_seed_{seed}.png",
            row=f"seed {seed}",
            label=f"alpha {alpha:g}",
            values={"alpha": alpha, "settings": replace(settings, seed=seed)},
        )
        for seed in args.seeds
        for alpha in args.alpha
    ]


def _load_editor(args: argparse.Namespace, adapter: Adapter, terminal: Terminal) -> ImagicEditor:
    """Load the model that was asked for, else the one that the adapter was fitted on."""
    if args.model is not None:
        return load_editor(args, args.model, terminal)
    try:
        return load_editor(args, adapter.record.base_model, terminal)
    except ModelError as error:
        raise ModelError(
            f"{error} That is the model which the adapter names; if it is elsewhere, say where "
            "with --model."
        ) from error
