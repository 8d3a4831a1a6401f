"""`imagic-lora img2img`: the baseline that edits are compared with."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imagic_lora.cli.flags import command, flag, output, place, prompt, settings_flags, several_of
from imagic_lora.cli.model import STABLE_DIFFUSION, BaseModel, base_model
from imagic_lora.cli.terminal import Terminal
from imagic_lora.progress import OnProgress
from imagic_lora.settings import NOISE, SEED, STRENGTH, SamplingSettings

if TYPE_CHECKING:
    from imagic_lora.editing.picture import Variation


@command("img2img", "make pictures by plain img2img, to compare edits with")
@place("image", "IMAGE", "the image to start from")
@flag("--target", read=prompt, required=True, metavar="TEXT", help="prompt of the new image")
@several_of("--strength", STRENGTH)
@several_of("--noise", NOISE, default=0.0)
@several_of("--seeds", SEED, default=SamplingSettings.seed)
@output("PATH", "one .png for one picture, or a folder")
@base_model(STABLE_DIFFUSION)
@settings_flags(SamplingSettings, "Settings of the pictures", skip=("seed",))
@click.pass_obj
def img2img(
    terminal: Terminal,
    *,
    image: Path,
    target: str,
    strength: tuple[float, ...],
    noise: tuple[float, ...],
    seeds: tuple[int, ...],
    out: Path,
    force: bool,
    base: BaseModel,
    settings: SamplingSettings,
) -> None:
    """Make one picture for each noise, seed and strength: a row for the former two."""
    from imagic_lora.cli.outputs import Gallery, Spot
    from imagic_lora.images.reading import open_image

    picture = open_image(image)
    grid = list(product(noise, seeds, strength))
    spots = [
        Spot(
            name=f"strength_{share}_noise_{extra}_seed_{seed}.png",
            row=f"noise {extra:g}, seed {seed}",
            label=f"strength {share:g}",
        )
        for extra, seed, share in grid
    ]
    gallery = Gallery(spots, out, force)
    editor = base.load(terminal)

    def make(on_progress: OnProgress) -> Iterator["Variation"]:
        for extra, seed, share in grid:
            yield editor.img2img(
                picture,
                target,
                strength=share,
                noise=extra,
                settings=replace(settings, seed=seed),
                on_progress=on_progress,
            )

    gallery.fill(make, terminal)
