"""The stage that scores: each picture by each scorer, once; what was scored is never scored again.

Scores are a line each in `scores.jsonl`: what an item's picture of certain bytes is worth to a
certain scorer. Knows nothing of rows or tables.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from imagic_lora.bench import lines
from imagic_lora.bench.made import Made
from imagic_lora.bench.metrics.base import Pair, Scorer, Scores
from imagic_lora.images.reading import open_image

_Key = tuple[str, str, str]
"""An item, a picture's hash, a scorer."""


def score_all(
    made: Sequence[Made], scorers: Sequence[Scorer], log: Path, tell: Callable[[str], None]
) -> None:
    """Score what is not yet scored; one scorer after another, so that one model is in memory.

    Args:
        made: The pictures.
        scorers: What to score them by.
        log: The file of scores; each is there as soon as it is known.
        tell: Takes a line for each picture.
    """
    known = _read(log)
    for scorer in scorers:
        wanted = {_key(one, scorer): one for one in made}
        left = [(key, one) for key, one in wanted.items() if key not in known]
        for number, (key, one) in enumerate(left, start=1):
            scores = scorer.score(Pair.of(one.item, open_image(one.path)))
            lines.add(log, [*key, scores])
            tell(f"{number}/{len(left)} {type(scorer).__name__} {one.row}: {one.item.name}")


def scored(made: Sequence[Made], scorers: Sequence[Scorer], log: Path) -> Iterator[Scores]:
    """Yield the scores of each picture by all of the scorers that have scored it.

    Args:
        made: The pictures.
        scorers: The scorers.
        log: The file of scores.
    """
    known = _read(log)
    for one in made:
        keys = [_key(one, scorer) for scorer in scorers]
        yield {name: v for key in keys for name, v in known.get(key, {}).items()}


def _read(log: Path) -> dict[_Key, Scores]:
    """Return what is known."""
    return {(item, picture, scorer): scores for item, picture, scorer, scores in lines.read(log)}


def _key(made: Made, scorer: Scorer) -> _Key:
    return made.item.name, made.digest, repr(scorer)
