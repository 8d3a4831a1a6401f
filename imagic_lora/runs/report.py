"""What came of a run, in figures and in words."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from imagic_lora.runs.events import Outcome, Ready, Status
from imagic_lora.units import seconds_text

_SLOWEST = 5
"""How many of the slowest rows are named."""


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """What came of a run.

    Attributes:
        outcomes: How each row ended that has, in the order of the file.
        rows: How many rows there are.
        fresh: Which of them were done now, by their ids.
        workers: Who worked.
        seconds: How long the run took, with the loading of the model.
    """

    outcomes: tuple[Outcome, ...]
    rows: int
    fresh: frozenset[str]
    workers: tuple[Ready, ...]
    seconds: float

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The rows that failed."""
        return tuple(each for each in self.outcomes if each.status != "ok")

    @property
    def complete(self) -> bool:
        """Whether every row is done."""
        return len(self.outcomes) == self.rows and not self.failed

    def summary(self) -> dict[str, Any]:
        """Return the figures as plain values; times are in seconds."""
        counts = Counter(each.status for each in self.outcomes)
        timed = [each for each in self.outcomes if each.seconds is not None]
        slowest = sorted(timed, key=_seconds, reverse=True)[:_SLOWEST]
        made = sum(each.status == "ok" for each in self.outcomes if each.id in self.fresh)
        return {
            "rows": self.rows,
            **{status: counts[status] for status in get_args(Status)},
            "left": self.rows - len(self.outcomes),
            "done_now": made,
            "seconds": round(self.seconds, 1),
            "pictures_per_hour": round(3600 * made / self.seconds, 1),
            "fits": _times(list(_fits(self.outcomes).values())),
            "edits": _times([_seconds(each) for each in timed]),
            "slowest": {each.id: each.seconds for each in slowest},
            "failures": dict(Counter(each.brief for each in self.failed)),
            "workers": {each.worker: each.device for each in self.workers},
        }

    def explain(self) -> str:
        """Return in words what came of the run."""
        figures = self.summary()
        now, spent = figures["done_now"], seconds_text(self.seconds)
        lines = [f"{figures['ok']} of {self.rows} rows are done, {now} of them now, in {spent}."]
        for name in ("fits", "edits"):
            if figures[name]["count"]:
                mean = figures[name]["seconds"] / figures[name]["count"]
                lines.append(f"  {figures[name]['count']} {name}, {mean:.1f} s each")
        for message, count in figures["failures"].items():
            lines.append(f"  {count} failed: {message}")
        if figures["left"]:
            lines.append(f"  {figures['left']} were not begun")
        return "\n".join(lines)


def _fits(outcomes: Sequence[Outcome]) -> Mapping[str, float]:
    """Return what each fit took, by its adapter."""
    return {each.adapter: each.fit_seconds for each in outcomes if each.fit_seconds is not None}


def _seconds(outcome: Outcome) -> float:
    """Return what an edit took."""
    return outcome.seconds or 0.0


def _times(seconds: Sequence[float]) -> dict[str, float]:
    """Return how many there are and what they took together."""
    return {"count": len(seconds), "seconds": round(sum(seconds), 1)}
