"""What a camera would add: textured grounds, light from one side, uneven colour, and grain.

Everything here hangs on a portrait's look alone, so that an edit of an attribute leaves the light,
the texture and the place as they were.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.world.canvas import SIZE

Light = npt.NDArray[np.float64]
"""Colour from 0 to 1, shape (SIZE, SIZE, 3), or one value for all three, (SIZE, SIZE, 1)."""


@dataclass(frozen=True)
class Look:
    """How a picture was taken: all that is neither named nor judged.

    Attributes:
        seed: Draws the textures, the light and the grain.
        shift: Offset of the figure in pixels, right and down.
        scale: Size of the figure, as a factor.
    """

    seed: int
    shift: tuple[float, float]
    scale: float

    @classmethod
    def of(cls, seed: int) -> "Look":
        """Return the look number `seed`."""
        generator = np.random.default_rng((seed, 1))
        across, down = generator.uniform(-4, 4), generator.uniform(-1, 3)
        return cls(seed, (float(across), float(down)), float(generator.uniform(0.93, 1.05)))

    def ground(self, scene: str) -> Image.Image:
        """Return a background.

        Args:
            scene: Which: a value of the attribute "background".
        """
        painters = {"meadow": _meadow, "night": _night, "sunset": _sunset, "snow": _snow}
        return _image(painters[scene](np.random.default_rng((self.seed, 2))))

    def taken(self, picture: Image.Image) -> Image.Image:
        """Return a picture under this light, through this lens."""
        generator = np.random.default_rng((self.seed, 3))
        angle, depth = generator.uniform(0, 2 * np.pi), generator.uniform(0.05, 0.2)
        across, down = np.meshgrid(*[np.linspace(-1, 1, SIZE)] * 2)
        slope = np.cos(angle) * across + np.sin(angle) * down
        light: Light = 1 + depth * slope + 0.06 * (_cloud(generator, 8, 8) - 0.5)
        cast = generator.uniform(0.92, 1.08, 3)
        grain = generator.normal(0, generator.uniform(0.005, 0.03), (SIZE, SIZE, 1))
        return _image(np.asarray(picture, np.float64) / 255 * light[..., None] * cast + grain)


def _image(light: Light) -> Image.Image:
    return Image.fromarray((light.clip(0, 1) * 255).round().astype(np.uint8))


def _cloud(generator: np.random.Generator, across: int, down: int) -> npt.NDArray[np.float64]:
    """Return smooth noise from 0 to 1 with detail at four scales, the coarsest of a few cells."""
    total = np.zeros((SIZE, SIZE))
    for octave in range(4):
        cells = (min(SIZE, down << octave), min(SIZE, across << octave))
        noise = Image.fromarray(generator.random(cells, np.float32))
        total += np.asarray(noise.resize((SIZE, SIZE), Image.Resampling.BICUBIC)) / 2**octave
    cloud: Light = (total - total.min()) / np.ptp(total)
    return cloud


def _between(first: tuple[float, ...], second: tuple[float, ...], share: Light) -> Light:
    """Return a mixture of two colours, place by place."""
    mixed: Light = np.array(first) * (1 - share) + np.array(second) * share
    return mixed


def _falling() -> Light:
    """Return 0 at the upper edge and 1 at the lower one."""
    return np.broadcast_to(np.linspace(0, 1, SIZE)[:, None, None], (SIZE, SIZE, 1))


def _glow(x: float, y: float, radius: float) -> Light:
    """Return a soft disc."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    distance: Light = np.hypot(columns - x, rows - y)[..., None] / radius
    disc: Light = 1 / (1 + np.exp((8 * (distance - 1)).clip(max=50)))
    return disc


def _meadow(generator: np.random.Generator) -> Light:
    sky = _between((0.42, 0.68, 0.95), (0.93, 0.96, 1), _cloud(generator, 3, 5)[..., None])
    blades = _cloud(generator, 24, 6)[..., None]
    grass = _between((0.16, 0.38, 0.08), (0.62, 0.8, 0.28), blades)
    horizon = generator.uniform(0.45, 0.65) + 0.1 * (_cloud(generator, 3, 1)[..., None] - 0.5)
    return np.where(_falling() > horizon, grass, sky)


def _night(generator: np.random.Generator) -> Light:
    sky = _between((0.04, 0.05, 0.2), (0.22, 0.2, 0.45), _cloud(generator, 3, 3)[..., None])
    for _ in range(generator.integers(12, 24)):
        x, y = generator.uniform(0, SIZE, 2)
        sky = _between((1, 0.95, 0.8), (0, 0, 0), 1 - _glow(x, y, 0.9)) + sky
    x = generator.choice((7, 57)) + generator.uniform(-2, 2)
    moon = _glow(x, generator.uniform(6, 12), generator.uniform(4, 6))
    return sky * (1 - moon) + np.array((1, 0.95, 0.75)) * moon


def _sunset(generator: np.random.Generator) -> Light:
    bands = (0.65 * _falling() + 0.35 * _cloud(generator, 2, 10)[..., None]).clip(0, 1)
    sky = _between((0.86, 0.36, 0.3), (1, 0.82, 0.45), bands)
    sun = _glow(generator.choice((10, 54)) + generator.uniform(-4, 4), 38, 8)
    sky = sky * (1 - sun) + np.array((1, 0.97, 0.8)) * sun
    waves = _cloud(generator, 3, 20)[..., None]
    sea = _between((0.4, 0.16, 0.36), (0.95, 0.55, 0.42), waves)
    return np.where(_falling() > generator.uniform(0.66, 0.76), sea, sky)


def _snow(generator: np.random.Generator) -> Light:
    sky = _between((0.6, 0.68, 0.78), (0.84, 0.88, 0.94), _cloud(generator, 4, 4)[..., None])
    drift = _between((0.8, 0.86, 0.96), (1, 1, 1), _cloud(generator, 6, 10)[..., None])
    horizon = generator.uniform(0.6, 0.75) + 0.12 * (_cloud(generator, 3, 1)[..., None] - 0.5)
    ground = np.where(_falling() > horizon, drift, sky)
    for _ in range(generator.integers(14, 26)):
        x, y = generator.uniform(0, SIZE, 2)
        flake = _glow(x, y, generator.uniform(0.8, 1.8))
        ground = ground * (1 - flake) + flake
    return ground
