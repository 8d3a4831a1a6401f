"""Makes a world's model and judge from one seed: `python -m benchmarks.world.train`.

Each stage writes checkpoints and is taken up where it stopped when the command
is given again. The same recipe runs on a GPU, with larger batches.
"""

import argparse
import dataclasses
import math
import os
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar, TypeVar

# Operations are small: a thread inside each costs more than it saves (see loop.py).
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import CLIPTokenizer

from benchmarks.world import architecture
from benchmarks.world.autoencoder import encode_all, set_scaling, train_decoder, train_vae
from benchmarks.world.data import Pixels, cached_pictures, training_portraits
from benchmarks.world.denoiser import (
    DETAIL,
    LAYOUT,
    Batches,
    Denoiser,
    Focus,
    tokenize,
    train_denoiser,
)
from benchmarks.world.drawing import draw
from benchmarks.world.judge import Judge, load_judge, save_judge, train_judge
from benchmarks.world.loop import Stage, Trainer, TrainerOf
from benchmarks.world.pipeline import MODEL, REPOSITORY, export_pipeline, load_pipeline
from benchmarks.world.portrait import EXAMPLES, Portrait, held_out_portrait
from benchmarks.world.recipes import RECIPES, Recipe
from benchmarks.world.tokenizer import make_tokenizer

Module = TypeVar("Module", bound=nn.Module)

WORK = REPOSITORY / "build" / "world"


class Training:
    """One run: the recipe, the folder it keeps its state in and the device.

    Args:
        recipe: What to train.
        work: Folder for pictures and checkpoints; made if it is not there.
        device: Where to train.
    """

    def __init__(self, recipe: Recipe, work: Path, device: torch.device) -> None:
        self.recipe, self.work, self.device = recipe, work, device
        work.mkdir(parents=True, exist_ok=True)

    def portraits(self) -> list[Portrait]:
        """The training set, undrawn."""
        recipe = self.recipe
        return training_portraits(
            recipe.pictures, recipe.seed, photographed=recipe.world.photographed
        )

    def pictures(self) -> Pixels:
        """The training set, drawn on the first call."""
        path = self.work / "pictures.npy"
        if not path.exists():
            print(f"drawing {self.recipe.pictures} portraits", flush=True)
        return cached_pictures(path, self.portraits(), processes=os.cpu_count() or 1)

    def vae(self) -> AutoencoderKL:
        """The trained autoencoder; trained on the first call."""
        path = self.work / "vae.safetensors"
        vae = self._seeded(architecture.make_vae)
        if path.exists():
            state = load_file(path)
            scaling = float(state.pop("scaling_factor"))
            vae.load_state_dict(state)
            set_scaling(vae, scaling)
            return vae.eval().requires_grad_(False)
        if self.recipe.onward:
            architecture.narrow(vae, self._demo.vae)
        pictures = self.pictures()
        train_vae(vae, pictures, self._trainer(self.recipe.vae))
        train_decoder(vae, pictures, self._trainer(self.recipe.decoder))
        _save(
            vae.state_dict() | {"scaling_factor": torch.tensor(vae.config["scaling_factor"])}, path
        )
        return vae.requires_grad_(requires_grad=False)

    def latents(self, vae: AutoencoderKL) -> tuple[Tensor, Tensor]:
        """Mean and deviation of every training picture's latents, scaled for the denoiser."""
        path = self.work / "latents.safetensors"
        if not path.exists():
            _say("encoding the pictures")
            vae.to(memory_format=torch.channels_last)
            means, deviations = encode_all(vae, self.pictures())
            _save({"means": means.half(), "deviations": deviations.half()}, path)
        state, factor = load_file(path), vae.config["scaling_factor"]
        return state["means"].float() * factor, state["deviations"].float() * factor

    def judge(self) -> None:
        """Train the judge and put its weights where the benchmarks read them."""
        judge = self._seeded(Judge)
        if self.recipe.onward:
            judge.load_state_dict(load_judge().state_dict())
        trainer = self._trainer(self.recipe.judge)
        train_judge(judge, self.pictures(), self.portraits(), trainer, _say)
        weights = self.recipe.world.weights
        weights.parent.mkdir(parents=True, exist_ok=True)
        save_judge(judge, weights)

    def denoiser(self) -> tuple[Denoiser, CLIPTokenizer]:
        """The untrained noise predictor and text encoder, and their tokenizer."""
        tokenizer = make_tokenizer()
        text_encoder = self._seeded(
            lambda: architecture.make_text_encoder(
                len(tokenizer), tokenizer.bos_token_id, tokenizer.eos_token_id
            )
        )
        unet = self._seeded(lambda: architecture.make_unet(self.recipe.widths))
        if self.recipe.onward:
            architecture.narrow(unet, self._demo.unet)
            architecture.narrow(text_encoder, self._demo.text_encoder)
        return Denoiser(unet, text_encoder).to(self.device), tokenizer

    def train_denoiser(self) -> None:
        """Train the denoiser on the cached latents: the layout first, then the details."""
        denoiser, tokenizer = self.denoiser()
        stages = ((self.recipe.denoiser, LAYOUT), (self.recipe.refine, DETAIL))
        self._train(denoiser, tokenizer, self.vae(), stages)

    def polish(self) -> None:
        """Train the world's finished model on, and write it anew."""
        denoiser, tokenizer = self.denoiser()
        pipeline = load_pipeline(self.recipe.world.model)
        denoiser.unet.load_state_dict(pipeline.unet.state_dict())
        denoiser.text_encoder.load_state_dict(pipeline.text_encoder.state_dict())
        vae = architecture.make_vae().to(self.device).eval()
        vae.load_state_dict(pipeline.vae.state_dict())
        set_scaling(vae, pipeline.vae.config["scaling_factor"])
        self._train(denoiser, tokenizer, vae, ((self.recipe.polish, DETAIL),))
        self._write(vae, denoiser)

    def _train(
        self,
        denoiser: Denoiser,
        tokenizer: CLIPTokenizer,
        vae: AutoencoderKL,
        stages: tuple[tuple[Stage, Focus], ...],
    ) -> None:
        batches = Batches(
            self.latents(vae),
            self.portraits(),
            partial(tokenize, tokenizer),
            self.device,
            self.recipe.wrong,
        )
        scheduler = architecture.make_scheduler(velocity=self.recipe.velocity)
        for stage, focus in stages:
            train_denoiser(denoiser, batches, scheduler, focus, self._trainer(stage)(denoiser))

    def export(self) -> None:
        """Write the pipeline as the checkpoints have it, finished or not, and the demo's example."""
        denoiser, _ = self.denoiser()
        for stage in (self.recipe.denoiser, self.recipe.refine):
            trainer = self._trainer(stage)(denoiser)
            trainer.resume()
            trainer.copy_average()
        self._write(self.vae(), denoiser)

    def _write(self, vae: AutoencoderKL, denoiser: Denoiser) -> None:
        folder, velocity = self.recipe.world.model, self.recipe.velocity
        text_encoder, unet = denoiser.text_encoder, denoiser.unet
        export_pipeline(vae, text_encoder, make_tokenizer(), unet, folder, velocity=velocity)
        if folder == MODEL:
            for name, number in EXAMPLES.items():
                path = folder.with_name(f"{name}.png")
                draw(held_out_portrait(number)).save(path, optimize=True)
        _say(f"wrote {folder}")

    @cached_property
    def _demo(self) -> StableDiffusionPipeline:
        """The demo model, to start from."""
        return load_pipeline(MODEL, self.device.type)

    def _trainer(self, stage: Stage) -> TrainerOf:
        return lambda module: Trainer(stage, module, self.work, self.recipe.seed, _say)

    def _seeded(self, make: Callable[[], Module]) -> Module:
        torch.manual_seed(self.recipe.seed)
        return make().to(self.device)

    STAGES: ClassVar[Mapping[str, Callable[[Any], object]]] = {
        "vae": vae,
        "judge": judge,
        "denoiser": train_denoiser,
        "export": export,
        "polish": polish,
    }
    """What is done, in this order; to polish only where it is asked for."""


def _save(state: dict[str, Tensor], path: Path) -> None:
    partial = path.with_suffix(".partial")
    save_file({name: value.contiguous() for name, value in state.items()}, partial)
    partial.replace(path)


def _say(line: str) -> None:
    print(line, flush=True)


def main(
    made: type[Training] = Training,
    recipes: Mapping[str, Recipe] = RECIPES,
    arguments: list[str] | None = None,
) -> None:
    """The command line.

    Args:
        made: What trains.
        recipes: What can be trained, by the name of its world; the first is the default.
        arguments: The words.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("world", nargs="?", choices=recipes, default=next(iter(recipes)))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--work", type=Path, help="folder for state that can be resumed; by default in build/world"
    )
    parser.add_argument("--length", type=float, default=1.0, help="factor on all numbers of steps")
    parser.add_argument("--seconds", type=float, default=math.inf, help="most time of a stage")
    parser.add_argument(
        "--only",
        choices=made.STAGES,
        help="one stage; export writes the model as trained so far, polish trains the finished on",
    )
    options = parser.parse_args(arguments)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    recipe = recipes[options.world]
    recipe = dataclasses.replace(recipe, seed=options.seed).scaled(
        length=options.length,
        batch=recipe.gpu_batch if device.type == "cuda" else 1,
        seconds=options.seconds,
    )
    training = made(recipe, options.work or WORK / options.world, device)
    for name, stage in made.STAGES.items():
        if options.only == name or (options.only is None and name != "polish"):
            stage(training)


if __name__ == "__main__":
    main()
