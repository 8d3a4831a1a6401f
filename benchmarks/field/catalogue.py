"""The benchmarks by name: how each is read, and what its edits are scored by."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from benchmarks.field.items import Loaded
from benchmarks.field.loaders import editeval, imgedit, pie, tedbench, uniedit
from benchmarks.field.metrics.base import Scorer
from benchmarks.field.metrics.clip import Clip
from benchmarks.field.metrics.dino import Identity, Structure
from benchmarks.field.metrics.lpips import Lpips, Net
from benchmarks.field.metrics.pixels import Pixels

Weights = Mapping[str, str]
"""Where the weights of scorers are: a name on the Hub or a folder, by the name of the scorer."""

WEIGHTS: Weights = MappingProxyType(
    {
        "clip": "openai/clip-vit-large-patch14",
        "clip16": "openai/clip-vit-base-patch16",
        "structure": "facebook/dino-vitb8",
        "identity": "facebook/dinov2-base",
    }
)
"""Those that published tables rest on."""

_NETS: tuple[Net, ...] = ("alex", "vgg")
_SIDES = (512, 256)

SCORERS: Mapping[str, Callable[[Weights], tuple[Scorer, ...]]] = MappingProxyType(
    {
        "pixels": lambda _: (Pixels(),),
        "clip": lambda weights: (Clip(weights["clip"]),),
        "clip16": lambda weights: (Clip(weights["clip16"], "_b16"),),
        "structure": lambda weights: (Structure(weights["structure"]),),
        "identity": lambda weights: (Identity(weights["identity"]),),
        "lpips": lambda _: (Lpips("squeeze"),),
        "lpips_all": lambda _: tuple(Lpips(net, side) for net in _NETS for side in _SIDES),
    }
)
"""What can be asked for."""


@dataclass(frozen=True)
class Benchmark:
    """One published set.

    Attributes:
        name: What the command line and files call it.
        title: What people call it.
        load: Reads a folder in the authors' layout.
        kinds: The kinds of its edits, in the order of tables.
        scorers: Names of what its edits are scored by.
        captioned: Whether items come with a target caption; if not, a file has to have them.
    """

    name: str
    title: str
    load: Callable[[Path], Loaded]
    kinds: tuple[str, ...]
    scorers: tuple[str, ...]
    captioned: bool = True


_ANY = ("pixels", "clip", "structure", "identity", "lpips_all")

BENCHMARKS: Mapping[str, Benchmark] = MappingProxyType(
    {
        one.name: one
        for one in (
            Benchmark("tedbench", "TEdBench", tedbench.load, tedbench.KINDS, (*_ANY, "clip16")),
            Benchmark(
                "tedbench++", "TEdBench++", tedbench.load_plus, tedbench.KINDS, (*_ANY, "clip16")
            ),
            Benchmark(
                "pie",
                "PIE-Bench",
                pie.load,
                pie.KINDS,
                ("pixels", "clip", "structure", "identity", "lpips"),
            ),
            Benchmark("uniedit", "UniEditBench", uniedit.load, uniedit.KINDS, _ANY),
            Benchmark(
                "imgedit",
                "ImgEdit-Bench Basic",
                imgedit.load,
                imgedit.KINDS,
                _ANY,
                captioned=False,
            ),
            Benchmark("editeval", "EditEval v1", editeval.load, editeval.KINDS, _ANY),
        )
    }
)
"""All of them, by name."""
