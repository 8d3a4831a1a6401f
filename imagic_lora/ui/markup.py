"""Pieces of HTML: whatever comes from outside is escaped here, and nowhere else is HTML written."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from imagic_lora.progress import Progress
from imagic_lora.units import seconds_text

_CURVE = (300, 72)
"""Width and height of the loss curve, in its own units."""


def note(text: str, kind: str = "info") -> str:
    """Return a sentence in a box.

    Args:
        text: The sentence.
        kind: "info", "good", "warn" or "bad".
    """
    role = "alert" if kind == "bad" else "status"
    return f'<div class="note {kind}" role="{role}">{escape(text)}</div>'


def notes(texts: Iterable[str], kind: str = "warn") -> str:
    """Return one box for each sentence."""
    return "".join(note(text, kind) for text in texts)


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Return names with their values, as a list of two columns; empty values are left out."""
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs if value
    )
    return f'<dl class="facts">{rows}</dl>'


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a plain table."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in rows)
    return f'<table class="plan"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def heading(name: str, facts: Iterable[str]) -> str:
    """Return the line at the top of the page: a name, and what it works with."""
    chips = "".join(f'<span class="chip">{escape(fact)}</span>' for fact in facts)
    return f'<header class="top"><h1>{escape(name)}</h1><div class="chips">{chips}</div></header>'


def bar(progress: Progress, label: str = "") -> str:
    """Return a bar of how far a phase is, with its figures beneath.

    Args:
        progress: The last step.
        label: What is being made.
    """
    share = progress.step / progress.steps
    loss = "" if progress.loss is None else f"loss {progress.loss:.4f}"
    words = (
        label,
        f"{progress.phase}: step {progress.step} of {progress.steps}",
        loss,
        f"{seconds_text(progress.seconds_left)} left",
    )
    text = " · ".join(word for word in words if word)
    return (
        f'<div class="progress" role="progressbar" aria-label="{escape(label or progress.phase)}" '
        f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{100 * share:.0f}">'
        f'<div class="track"><div class="done" style="width:{share:.1%}"></div></div>'
        f"<span>{escape(text)}</span></div>"
    )


def waiting(before: int) -> str:
    """Return what to say while a job waits for its turn."""
    if not before:
        return note("Starting.")
    jobs = "1 job is" if before == 1 else f"{before} jobs are"
    return note(f"In line: {jobs} before yours. It starts by itself.", "warn")


def stopped(begun: bool) -> str:  # noqa: FBT001
    """Return what to say of a job that was stopped before it made anything.

    Args:
        begun: Whether its turn had come.
    """
    return note("Stopped before anything was made." if begun else "Taken out of the line.", "warn")


def curve(losses: Sequence[float]) -> str:
    """Return the course of a loss, from its largest value at the top to 0 at the bottom."""
    if len(losses) < 2:
        return ""
    width, height = _CURVE
    top = max(losses) or 1.0
    points = " ".join(
        f"{index / (len(losses) - 1) * width:.1f},{(1 - loss / top) * (height - 2) + 1:.1f}"
        for index, loss in enumerate(losses)
    )
    return (
        f'<figure class="curve"><svg viewBox="0 0 {width} {height}" preserveAspectRatio="none" '
        f'role="img" aria-label="loss by step"><polyline points="{points}"/></svg>'
        f"<figcaption>loss, from {losses[0]:.3f} to {losses[-1]:.3f}</figcaption></figure>"
    )


def settings_facts(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return settings as names and values."""
    return [
        (name.replace("_", " "), f"{value:g}" if isinstance(value, float) else str(value))
        for name, value in values.items()
        if value not in (None, "")
    ]
