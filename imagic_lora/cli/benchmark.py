"""What a benchmark is asked, from the words of its command."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagic_lora.bench.choices import WEIGHED
from imagic_lora.cli.flags import path
from imagic_lora.errors import InputError, SettingsError, near_match, quoted

if TYPE_CHECKING:
    from imagic_lora.bench.catalogue import Benchmark
    from imagic_lora.bench.editing import Editing
    from imagic_lora.bench.evaluation import Evaluation
    from imagic_lora.bench.judging.asking import Questions
    from imagic_lora.bench.judging.judge import Judge
    from imagic_lora.bench.metrics.base import Scorer
    from imagic_lora.bench.rows import Settings
    from imagic_lora.hub import Dataset

_HERE = "here"
"""The judge that is asked in this process."""


def folder(words: str) -> tuple[str, str]:
    """Return the row and the folder of others' pictures; a folder alone is called by its own name."""
    name, equals, folder = words.partition("=")
    found = (name, folder) if equals else (Path(words).resolve().name, words)
    if not all(found):
        raise InputError(f"the value was {quoted(words)}, allowed is e.g. imagen=tedbench/imagic.")
    return found


def data(words: str) -> Path | str:
    """Return a folder, or at which revision the Hub is asked; "" for the one of the benchmark."""
    place, _, revision = words.partition("@")
    return revision if place == "hub" else path(words)


def scorer(words: str) -> "Scorer":
    """Return a scorer of somebody's own, from a module that is imported for it."""
    module, _, name = words.partition(":")
    try:
        found: Any = getattr(import_module(module), name) if module and name else None
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"the value was {quoted(words)}, which cannot be had ({error}); give a module that Python "
            "finds from here, and the name of a scorer in it."
        ) from error
    if not hasattr(found, "score"):
        raise InputError(
            f"the value was {quoted(words)}, allowed is MODULE:NAME of a value with the method 'score'."
        )
    made: Scorer = found
    return made


def weights(words: str) -> tuple[str, str]:
    """Return a scorer and where its weights are."""
    name, _, place = words.partition("=")
    if name not in WEIGHED or not place:
        raise InputError(
            f"the value was {quoted(words)}, allowed is NAME=FOLDER with a name of "
            f"{', '.join(WEIGHED)}.{near_match(name, WEIGHED)}"
        )
    return name, place


def judge_place(words: str) -> str:
    """Return where a judge may be: an address, or this process."""
    if words != _HERE and not words.startswith(("http://", "https://")):
        raise InputError(
            f"the value was {quoted(words)}, allowed is '{_HERE}', or e.g. http://localhost:8000/v1."
        )
    return words


def _on_hub(given: dict[str, Any]) -> "Dataset | None":
    """Return what is asked of the Hub, if anything is."""
    from imagic_lora.bench.catalogue import BENCHMARKS as LOADERS
    from imagic_lora.bench.data.origins import origin

    name, data = given["name"], given["data"]
    return None if isinstance(data, Path) else origin(name, data, LOADERS[name].where)


def to_fetch(given: dict[str, Any]) -> str:
    """Return how much would have to be fetched, in words; "" for nothing."""
    from imagic_lora.bench.data import origins

    dataset = _on_hub(given)
    return "" if dataset is None else origins.to_fetch(dataset)


def evaluation(out: Path | None, given: dict[str, Any]) -> "Evaluation":
    """Return what is asked of the benchmark, whose data are fetched where that is asked for."""
    from imagic_lora.bench.catalogue import BENCHMARKS as LOADERS
    from imagic_lora.bench.catalogue import WEIGHTS
    from imagic_lora.bench.data.origins import fetch
    from imagic_lora.bench.evaluation import Evaluation

    benchmark, dataset = LOADERS[given["name"]], _on_hub(given)
    data = given["data"] if dataset is None else fetch(dataset)
    if out is None and benchmark.packing is not None and benchmark.packing.files(data):
        raise InputError(
            f"The data of {benchmark.title} are packed; give -o, the folder in which they are unpacked."
        )
    return Evaluation(
        benchmark=benchmark,
        data=data,
        origin="" if dataset is None else f"{dataset.repository} at {data.name}",
        out=out or Path(),
        captions=given["captions"],
        limit=given["limit"],
        others=_once("--score", given["score"]),
        scorers=given["scorers"],
        own=given["own_scorer"],
        weights={**WEIGHTS, **_once("--weights", given["weights"])},
        judge=_judge(benchmark, given),
    )


def _once(flag: str, named: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Return what was named, each once."""
    found = dict(named)
    if len(found) < len(named):
        raise InputError(f"{flag} names one thing twice; give each a name of its own, NAME=FOLDER.")
    return found


def _judge(benchmark: "Benchmark", given: dict[str, Any]) -> "Judge | None":
    """Return the judge, where there is one."""
    from imagic_lora.bench.judging.judge import Judge
    from imagic_lora.bench.judging.local import Local
    from imagic_lora.bench.judging.server import Server

    place, model, file = given["judge"], given["judge_model"], given["questions"]
    if place is None and model is None and file is None:
        return None
    if not (place and model):
        raise InputError("A judge needs both --judge and --judge-model; give the other one, too.")
    who = Local(model) if place == _HERE else Server(place, model)
    return Judge(who) if file is None else Judge(who, _questions(benchmark, file))


def _questions(benchmark: "Benchmark", file: Path) -> "Questions":
    """Return the questions of a benchmark's authors."""
    if benchmark.questions is None:
        raise InputError(
            f"The questions of the authors of {benchmark.title} are not read; leave out --questions."
        )
    return benchmark.questions(file)


def _settings(given: dict[str, Any]) -> "Settings":
    """Return the settings of the product, checked."""
    from imagic_lora.bench.rows import Settings
    from imagic_lora.runs.rows import settings_of
    from imagic_lora.settings import EditSettings, FitSettings

    if sizes := {"width", "height"} & {*given["fit"], *given["edit"]}:
        raise SettingsError(
            f"{' and '.join(sorted(sizes))} cannot be given: each picture is worked on whole, at a "
            "size that the model was trained on."
        )
    settings_of(FitSettings, "fit", given["fit"])
    settings_of(EditSettings, "edit", given["edit"])
    return Settings(given["fit"], given["edit"])


def editing(asked: "Evaluation", given: dict[str, Any]) -> "Editing":
    """Return what edits."""
    from imagic_lora.bench.editing import Editing
    from imagic_lora.bench.rows import methods_of, rivals_of

    base, settings = given["base"], _settings(given)
    if Path(base.model).is_file() and base.config is None:
        raise InputError(
            f"The model is the checkpoint {quoted(Path(base.model).name)}, which does not say the "
            "size of its pictures; give a pipeline folder of the same kind by --config."
        )
    folder = given["instruct_pix2pix"]
    instruct = None if folder is None else str(folder)
    methods = methods_of(given["methods"], base.config or base.model, instruct, asked.items)
    return Editing(
        items=asked.numbered,
        methods=methods,
        rivals=rivals_of(methods, instruct),
        model=base.model,
        loading=base.loading(),
        settings=settings,
        out=asked.out,
        force=given["force"],
    )
