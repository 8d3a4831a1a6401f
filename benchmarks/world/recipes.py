"""What the worlds' models and judges are trained by: all that the trained weights depend on."""

import dataclasses
import math

from benchmarks.world.loop import Stage
from benchmarks.world.worlds import DRAWN, FLOWING, PHOTOGRAPHED, World

VAE = Stage("vae", steps=2200, batch=16, rate=2e-3, decay_from=0.5)
DECODER = Stage("decoder", steps=1000, batch=16, rate=4e-4, decay_from=0.3)
JUDGE = Stage("judge", steps=9000, batch=64, rate=3e-3, average=0.99)
REFINE = Stage("refine", steps=6400, batch=32, rate=8e-4)
DENOISER = Stage("denoiser", steps=6000, batch=32, rate=8e-4)
POLISH = Stage("polish", steps=8000, batch=32, rate=5e-4, decay_from=0.2)
"""The finished model trained on, with what time there is."""


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Everything that the trained weights depend on.

    Attributes:
        world: What its pictures look like, and where model and judge go.
        seed: Seed of all random numbers.
        pictures: Size of the training set.
        widths: Channels of the noise predictor at 16x16, 8x8 and 4x4.
        velocity: Whether it predicts velocities, down to no signal at all.
        wrong: Share of the attributes that captions may tell wrongly.
        onward: Whether training starts from the demo model, narrowed, and its judge.
        vae: How the autoencoder is trained.
        decoder: How its decoder is trained on.
        judge: How the judge is trained.
        denoiser: How the noise predictor is trained.
        refine: How it is trained on.
        polish: How the finished one is trained on.
        gpu_batch: How many times larger batches are on a GPU.
    """

    world: World = DRAWN
    seed: int = 0
    pictures: int = 30_000
    widths: tuple[int, int, int] = (48, 96, 192)
    velocity: bool = False
    wrong: float = 0.0
    onward: bool = False
    vae: Stage = VAE
    decoder: Stage = DECODER
    judge: Stage = JUDGE
    denoiser: Stage = DENOISER
    refine: Stage = REFINE
    polish: Stage = POLISH
    gpu_batch: int = 8

    def scaled(self, *, length: float, batch: int, seconds: float = math.inf) -> "Recipe":
        """The same recipe with fewer or more steps and pictures, and larger batches.

        Args:
            length: Factor on all numbers of steps.
            batch: Factor on the pictures of a step.
            seconds: Most time of a stage.
        """

        def scale(stage: Stage) -> Stage:
            steps = max(1, round(stage.steps * length))
            size = stage.batch * batch
            return dataclasses.replace(stage, steps=steps, batch=size, seconds=seconds)

        return dataclasses.replace(
            self,
            pictures=max(64, round(self.pictures * min(1.0, length))),
            vae=scale(self.vae),
            decoder=scale(self.decoder),
            judge=scale(self.judge),
            denoiser=scale(self.denoiser),
            refine=scale(self.refine),
            polish=scale(self.polish),
        )


RECIPES = {
    DRAWN.name: Recipe(),
    PHOTOGRAPHED.name: Recipe(
        world=PHOTOGRAPHED,
        pictures=40_000,
        widths=(32, 64, 128),
        velocity=True,
        wrong=0.4,
        onward=True,
        vae=Stage("vae", steps=700, batch=16, rate=1e-3, decay_from=0.3),
        decoder=Stage("decoder", steps=200, batch=16, rate=4e-4, decay_from=0.1),
        judge=Stage("judge", steps=2600, batch=64, rate=1e-3, average=0.99),
        denoiser=Stage("denoiser", steps=800, batch=32, rate=8e-4),
        refine=Stage("refine", steps=1800, batch=32, rate=6e-4),
        polish=Stage("polish", steps=8000, batch=32, rate=1e-3, decay_from=0.3),
        gpu_batch=16,
    ),
}
"""The worlds: the drawn portraits that the demo shows, and another that differs where these are
kind: textures and light, captions that are often wrong, velocities without a last bit of signal,
and a model of half the size. The latter's model and autoencoder were first trained with 12,000
pictures, on a CPU; the judge and the polish with all, on a GPU."""

FLOW = Recipe(
    world=FLOWING,
    denoiser=Stage("flow", steps=8000, batch=32, rate=1e-3, decay_from=0.3),
    gpu_batch=16,
)
"""The model that follows a flow; of the stages only the denoiser's counts."""
