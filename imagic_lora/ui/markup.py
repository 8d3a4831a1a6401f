"""Pieces of HTML: whatever comes from outside is escaped here, and nowhere else is HTML written."""

import os
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from imagic_lora.units import seconds_text

_SPARK = (72, 24)
"""Width and height of the line of a loss, in pixels."""

_NOTIFY = (
    '<button type="button" data-act="notify" hidden title="Tells you when yours is done">'
    "Notify me</button>"
)
"""Shown where the browser can tell."""


def address(path: Path) -> str:
    """Return where the page finds a file of the work folder."""
    root = os.environ.get("GRADIO_ROOT_PATH", "").rstrip("/")
    return f"{root}/gradio_api/file={quote(str(path))}"


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


def heading(name: str, sentence: str, facts: Iterable[str], *, sharp: bool = False) -> str:
    """Return the line at the top of the page.

    Args:
        name: What the page is called.
        sentence: What it is for.
        facts: What it works with.
        sharp: Whether pictures are enlarged without blurring them.
    """
    chips = "".join(f'<span class="chip">{escape(fact)}</span>' for fact in facts)
    return (
        f'<header class="top{" sharp" if sharp else ""}"><h1>{escape(name)}</h1><p>{escape(sentence)}</p>'
        f'<div class="chips">{chips}</div></header>'
    )


def bar(share: float, label: str, seconds_left: float | None, losses: Sequence[float] = ()) -> str:
    """Return a bar of how far a run is, with what it does beneath.

    Args:
        share: Share of it that is done, 0 to 1.
        label: What is being done.
        seconds_left: Time that the rest takes at most, or None where that is not known yet.
        losses: The course of a fit's loss, drawn beside it.
    """
    left = "" if seconds_left is None else f"{seconds_text(seconds_left)} left"
    return (
        f'<div class="progress" role="progressbar" aria-label="{escape(label)}" '
        f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{100 * share:.0f}">'
        f'<div class="track"><div class="done" style="width:{share:.1%}"></div></div>'
        f'<div class="doing"><span>{escape(label)}</span>{spark(losses)}<span>{left}</span></div>'
        "</div>"
    )


def examples(pairs: Iterable[tuple[Path, str]]) -> str:
    """Return small pictures to click, each with what it should show beneath, or "" for none."""
    buttons = "".join(
        f'<button type="button" data-example="{index}"><img src="{address(path)}" alt="">'
        f"<span>{escape(target)}</span></button>"
        for index, (path, target) in enumerate(pairs)
    )
    return buttons and f'<div class="examples" role="group" aria-label="Examples">{buttons}</div>'


def aside(sentence: str) -> str:
    """Return a sentence that is there all the time."""
    return f'<p class="aside">{escape(sentence)}</p>'


def waiting(before: int) -> str:
    """Return what to say while a job waits for its turn."""
    if not before:
        return note("Starting.")
    jobs = "1 job is" if before == 1 else f"{before} jobs are"
    return note(f"In line: {jobs} before yours. It starts by itself.", "warn")


def jobs(rows: Sequence[tuple[str, str, str, str]]) -> str:
    """Return the line of jobs, or "" where there is none.

    Args:
        rows: What each is, how far it is, what names it and what its button says; no button where
            that is "".
    """
    parts = [
        f'<span class="job"><b>{escape(title)}</b> <span>{escape(far)}</span>{_cancel(key, verb)}'
        "</span>"
        for title, far, key, verb in rows
    ]
    inner = "".join(parts) + (_NOTIFY if any(verb for *_, verb in rows) else "")
    return f'<div class="jobs" role="group" aria-label="Jobs">{inner}</div>' if parts else ""


def _cancel(key: str, verb: str) -> str:
    """Return the button that ends a job."""
    return f'<button type="button" data-cancel="{escape(key)}">{verb}</button>' if verb else ""


def stopped(begun: bool) -> str:  # noqa: FBT001
    """Return what to say of a job that was stopped before it made anything.

    Args:
        begun: Whether its turn had come.
    """
    return note("Stopped before anything was made." if begun else "Taken out of the line.", "warn")


def spark(losses: Sequence[float]) -> str:
    """Return the course of a loss as a small line, from its largest value at the top down to 0."""
    if len(losses) < 2:
        return ""
    width, height = _SPARK
    top = max(losses) or 1.0
    points = " ".join(
        f"{index / (len(losses) - 1) * width:.1f},{(1 - loss / top) * (height - 2) + 1:.1f}"
        for index, loss in enumerate(losses)
    )
    words = f"loss, from {losses[0]:.3f} to {losses[-1]:.3f}"
    return (
        f'<svg class="spark" viewBox="0 0 {width} {height}" preserveAspectRatio="none" role="img" '
        f'aria-label="{words}"><title>{words}</title><polyline points="{points}"/></svg>'
    )


def settings_facts(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return settings as names and values."""
    return [
        (name.replace("_", " "), f"{value:g}" if isinstance(value, float) else str(value))
        for name, value in values.items()
        if value not in (None, "")
    ]
