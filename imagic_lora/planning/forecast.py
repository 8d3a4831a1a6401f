"""What a model needs under a plan, for people to read before anything is loaded."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagic_lora.errors import ModelError
from imagic_lora.memory import (
    MemoryPlan,
    predict,
)
from imagic_lora.memory.ladder import PHASES
from imagic_lora.models.blueprint import BLUEPRINTS, Blueprint, find_blueprint
from imagic_lora.planning.counted import count, count_ladder, counting, known_footprint
from imagic_lora.progress import OnProgress, ignore
from imagic_lora.units import gigabytes, parse_size


@dataclass(frozen=True)
class Forecast:
    """What a model needs under a plan.

    Attributes:
        model: Name of the model.
        budget_bytes: What it may take, or None where no limit was given.
        plan: The plan.
        phases: One row for each phase, as `MemoryPlan.explain` makes them.
    """

    model: str
    budget_bytes: int | None
    plan: MemoryPlan
    phases: list[Mapping[str, Any]]

    def record(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        names = ("name", "levers", "counted_bytes", "predicted_bytes")
        phases = [{name: row[name] for name in names} for row in self.phases]
        return {"model": self.model, "budget_bytes": self.budget_bytes, "phases": phases}

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Return each phase with what it needs, how much slower it gets, and its levers."""
        return [
            (
                row["name"],
                gigabytes(row["predicted_bytes"]),
                f"{row['slower']:g}x",
                ", ".join(row["levers"]) or "-",
            )
            for row in self.phases
        ]

    def table(self) -> str:
        """Return it as a table for people."""
        rows = [("phase", "needs", "slower", "levers"), *self.rows()]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        return "\n".join(
            "  ".join(
                [*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]
            )
            for row in rows
        )


def forecast(
    model: str | Path,
    memory: str | int,
    *,
    exact: bool = False,
    on_progress: OnProgress = ignore,
) -> Forecast:
    """Return what a model needs on a CUDA device within a budget; nothing is loaded.

    Args:
        model: "sd15" and others of BLUEPRINTS, a pipeline folder, a Hub name, or a checkpoint.
        memory: Budget: a size such as "6GB", or bytes.
        exact: Count the plan again now instead of reading what was counted before.
        on_progress: Called after every phase that is counted now.

    Raises:
        ModelError: When there is no such model.
        SettingsError: When the budget is no size.
        DeviceError: When the budget is below what any plan needs.
    """
    blueprint = _named_or_found(model)
    budget = parse_size(memory)
    known = known_footprint(blueprint)
    found = known or count_ladder(blueprint, budget, on_progress)
    plan = MemoryPlan.for_budget(budget, found)
    rows = plan.explain(found)
    if exact and known:
        counted = count(blueprint, plan, PHASES, counting(on_progress, len(PHASES)))
        rows = [
            {
                **row,
                "counted_bytes": found,
                "predicted_bytes": row["predicted_bytes"]
                + predict(found)
                - predict(row["counted_bytes"]),
            }
            for row, found in zip(rows, counted.values(), strict=True)
        ]
    return Forecast(blueprint.name, budget, plan, rows)


def _named_or_found(model: str | Path) -> Blueprint:
    """Return a model's blueprint; where there is none, say which names need no download."""
    try:
        return find_blueprint(model)
    except ModelError as error:
        names = ", ".join(repr(name) for name in BLUEPRINTS)
        raise ModelError(f"{error} Known without a download are {names}.") from error


def outlook(model: str | Path, plan: MemoryPlan) -> Forecast | None:
    """Return what a model needs under a plan, or None where it was not counted before.

    Args:
        model: The model, by any of its names.
        plan: The plan that it works by.
    """
    known = known_footprint(find_blueprint(model))
    return None if known is None else Forecast(known.model, None, plan, plan.explain(known))
