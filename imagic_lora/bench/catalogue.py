"""The benchmarks by name: how each is read, and what its edits are scored by."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

from imagic_lora.bench.data.packing import Packing
from imagic_lora.bench.items import Loaded
from imagic_lora.bench.judging.asking import Questions
from imagic_lora.bench.judging.rubrics import Rubrics
from imagic_lora.bench.judging.viescore import VieScore
from imagic_lora.bench.metrics.base import Scorer
from imagic_lora.bench.metrics.clip import Clip
from imagic_lora.bench.metrics.dino import Identity, Structure
from imagic_lora.bench.metrics.lpips import Lpips, Net
from imagic_lora.bench.metrics.pixels import Pixels
from imagic_lora.bench.suites import editeval, imgedit, instructions, own, pie, tedbench, uniedit

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
    """A set of edits: one that is published, or anybody's own.

    Attributes:
        name: What the command line and files call it.
        title: What people call it.
        load: Reads a folder in the authors' layout.
        kinds: The kinds of its edits, in the order of tables; () is those that its items have.
        scorers: Names of what its edits are scored by.
        packing: How its authors pack it; None where a folder is read as it is.
        where: Where it is to be had where the Hub has it in no form that can be used.
        questions: Reads its authors' own questions to a judge from their file; None where they are
            not read.
    """

    name: str
    title: str
    load: Callable[[Path], Loaded]
    kinds: tuple[str, ...]
    scorers: tuple[str, ...]
    packing: Packing | None = None
    where: str = ""
    questions: Callable[[Path], Questions] | None = None


_ANY = ("pixels", "clip", "structure", "identity", "lpips_all")
_TEDBENCH = (*_ANY, "clip16")
_PIE = ("pixels", "clip", "structure", "identity", "lpips")

_ALL = (
    Benchmark(
        "tedbench", "TEdBench", tedbench.load, tedbench.KINDS, _TEDBENCH, where=tedbench.WHERE
    ),
    Benchmark("tedbench++", "TEdBench++", tedbench.load_plus, tedbench.KINDS, _TEDBENCH),
    Benchmark("pie", "PIE-Bench", pie.load, pie.KINDS, _PIE, where=pie.WHERE),
    Benchmark("uniedit", "UniEditBench", uniedit.load, uniedit.KINDS, _ANY),
    Benchmark(
        "imgedit",
        "ImgEdit-Bench Basic",
        imgedit.load,
        imgedit.KINDS,
        _ANY,
        imgedit.PACKING,
        questions=partial(Rubrics.read, kinds=imgedit.KINDS),
    ),
    Benchmark("editeval", "EditEval v1", editeval.load, editeval.KINDS, _ANY, where=editeval.WHERE),
    Benchmark(
        "gedit",
        "GEdit-Bench",
        instructions.load_gedit,
        instructions.GEDIT_KINDS,
        _ANY,
        instructions.GEDIT_PACKING,
        questions=VieScore.read,
    ),
    Benchmark(
        "gedit2",
        "GEditBench v2",
        instructions.load_gedit_v2,
        instructions.ANY,
        _ANY,
        instructions.GEDIT_V2_PACKING,
    ),
    Benchmark(
        "genarena",
        "GenArena basic",
        instructions.load_genarena,
        instructions.ANY,
        _ANY,
        instructions.GENARENA_PACKING,
    ),
    Benchmark("own", "Own pictures", own.load, (), _ANY, where=own.WHERE),
)

BENCHMARKS: Mapping[str, Benchmark] = MappingProxyType({one.name: one for one in _ALL})
"""All of them, by name."""
