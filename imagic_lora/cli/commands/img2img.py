"""`imagic-lora img2img`: the baseline that edits are compared with."""

import argparse
from dataclasses import replace
from functools import partial

from imagic_lora.cli.flags import read_settings
from imagic_lora.cli.loading import load_editor
from imagic_lora.cli.outputs import Gallery, Spot
from imagic_lora.cli.terminal import Terminal
from imagic_lora.images.reading import open_image
from imagic_lora.settings import SamplingSettings


def run(args: argparse.Namespace, terminal: Terminal) -> None:
    """Make one picture for each strength, noise and seed."""
    image = open_image(args.image)
    settings = read_settings(args, SamplingSettings, seed=args.seeds[0])
    gallery = Gallery(_spots(args, settings), args.out, args.force)
    editor = load_editor(args, args.model, terminal)
    gallery.fill(partial(editor.img2img, image, args.target), terminal)


def _spots(args: argparse.Namespace, settings: SamplingSettings) -> list[Spot]:
    """Return the grid: a row for each noise and seed, a column for each strength."""
    return [
        Spot(
            name=f"strength_{strength}_noise_{noise}_seed_{seed}.png",
            row=f"noise {noise:g}, seed {seed}",
            label=f"strength {strength:g}",
            values={
                "strength": strength,
                "noise": noise,
                "settings": replace(settings, seed=seed),
            },
        )
        for noise in args.noise
        for seed in args.seeds
        for strength in args.strength
    ]
