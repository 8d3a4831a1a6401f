"""The pictures of the page as HTML: one large one to look at, and the sheet of all beneath it.

What they do when they are touched is in `page.js`; whatever comes from outside is escaped.
"""

import os
from collections.abc import Iterable, Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

from imagic_lora.images.canvas import Frame
from imagic_lora.ui import markup
from imagic_lora.ui.jobs.edit import SweepState
from imagic_lora.ui.jobs.pictures import SavedPicture

_EMPTY = (
    '<button type="button" class="drop" data-press="picture"><b>Drop a picture here</b>'
    "<span>paste one, or click to choose</span></button>"
)


def address(path: Path) -> str:
    """Return where the page finds a file of the work folder."""
    root = os.environ.get("GRADIO_ROOT_PATH", "").rstrip("/")
    return f"{root}/gradio_api/file={quote(str(path))}"


def empty() -> str:
    """Return the place for a picture, as long as there is none."""
    return f'<div class="stage">{_EMPTY}</div>'


def hint(words: str) -> str:
    """Return what stands where pictures will be."""
    return _stage(f'<p class="hint">{escape(words)}</p>')


def framed(shown: Path, frame: Frame, name: str, veil: Path | None = None) -> str:
    """Return a picture with what will be edited of it, the rest dimmed.

    Args:
        shown: A copy of the whole picture.
        frame: Which part of it is edited, at which size.
        name: What the picture is called.
        veil: What lies over the part that is edited, or None.
    """
    (width, height), (left, upper, right, lower) = frame.whole, frame.box
    whole = (right - left, lower - upper) == frame.whole
    place = (
        f"left:{left / width:.3%};top:{upper / height:.3%};"
        f"width:{(right - left) / width:.3%};height:{(lower - upper) / height:.3%}"
    )
    box = f'<div class="{"veiled" if whole else "box"}" style="{place}">{_veil(veil)}</div>'
    words = f"{width} x {height} pixels, edited at {frame.size[0]} x {frame.size[1]}"
    return _stage(
        f'<figure class="view" style="--ratio:{width / height:.4f}">'
        f'<img src="{address(shown)}" alt="{escape(name)}">{box}</figure>'
        f'<p class="about"><b>{escape(name)}</b><span>{escape(words)}</span></p>'
    )


def single(shown: Path, words: str, size: tuple[int, int], veil: Path | None = None) -> str:
    """Return one picture alone.

    Args:
        shown: The picture.
        words: What it is.
        size: Its width and height, in pixels.
        veil: What lies over it, or None.
    """
    return _stage(
        f'<figure class="view" style="--ratio:{size[0] / size[1]:.4f}">'
        f'<img src="{address(shown)}" alt="{escape(words)}">{_veil(veil)}</figure>'
        f'<p class="about"><span>{escape(words)}</span></p>'
    )


def results(state: SweepState) -> str:
    """Return the pictures of a sweep: the best of those there are in large, and all beneath."""
    made, before = state.made, state.before
    if not made:
        return "" if before is None else _stage(_waiting(state, before))
    index = len(made) - 1 if not state.files else _best(state)
    return _stage(_pair(before, made[index]) + _about(made[index]) + _sheet(state, index))


def row(pictures: Sequence[tuple[str, str, Path | None]]) -> str:
    """Return pictures side by side, each with a heading above it and a line beneath.

    Args:
        pictures: Heading, line and picture of each; None for one that is to come.
    """
    figures = "".join(
        f"<figure><h3>{escape(heading)}</h3>{_image(path, heading)}"
        f"<figcaption>{escape(line)}</figcaption></figure>"
        for heading, line, path in pictures
    )
    return f'<div class="stage"><div class="trio">{figures}</div></div>'


def facts(saved: SavedPicture) -> str:
    """Return what made a picture, in a line."""
    record = saved.picture.record()
    pairs = markup.settings_facts(record["settings"])
    return " · ".join(f"{name} {value}" for name, value in pairs)


def _veil(veil: Path | None) -> str:
    """Return what dims all that a mask keeps as it is."""
    return "" if veil is None else f'<img class="veil" src="{address(veil)}" alt="A mask">'


def _stage(inner: str) -> str:
    """Return what is shown in the place of the pictures."""
    return f'<div class="stage">{inner}</div>'


def _best(state: SweepState) -> int:
    """Return which picture is shown first: what was found, or the one nearest to the prompt itself."""
    if state.best is not None:
        return state.best
    away = [abs(float(_number(each)) - 1) for each in state.made]
    return away.index(min(away))


def _pair(before: Path | None, after: SavedPicture) -> str:
    """Return a picture over the input, with a divider that is dragged or moved by the arrow keys."""
    width, height = after.picture.image.size
    return (
        f'<figure class="view pair" style="--ratio:{width / height:.4f}">'
        f'<img class="after" src="{address(after.path)}" alt="{_name(after)}">'
        f'<img class="before" src="{address(before) if before else ""}" alt="The input">'
        '<span class="tag left">before</span><span class="tag right">after</span>'
        '<input type="range" class="cut" min="0" max="100" value="0" '
        'aria-label="Before and after: how much of the input is shown"></figure>'
    )


def _about(shown: SavedPicture) -> str:
    """Return what is known of the picture that is shown in large, and what can be done with it."""
    return (
        f'<div class="about"><b>{_title(shown)}</b><div class="deeds">'
        '<button type="button" data-step="ArrowLeft" aria-label="weaker">&lsaquo;</button>'
        '<button type="button" data-step="ArrowRight" aria-label="stronger">&rsaquo;</button>'
        '<button type="button" data-act="hold">Hold for the input</button>'
        '<button type="button" data-act="full">Full window</button>'
        '<button type="button" data-act="further">Edit further</button>'
        f'<a class="one" href="{address(shown.path)}" download="{escape(shown.path.name)}">'
        "Download</a><details><summary>Settings</summary>"
        f'<span class="facts-line">{escape(facts(shown))}</span></details></div></div>'
    )


def _sheet(state: SweepState, chosen: int) -> str:
    """Return all pictures: a row for each seed, its strengths above it."""
    numbered = list(enumerate(state.made))
    rows = [list(group) for _, group in groupby(numbered, key=lambda each: each[1].row)]
    columns = max(state.sweep.columns if state.sweep.alphas else 1, *map(len, rows))
    shared, parts, last = bool(state.sweep.alphas), [], len(rows) - 1
    for number, group in enumerate(rows):
        if number == 0 or not shared:
            headings = [f"{alpha:g}" for alpha in state.sweep.alphas] if shared else _labels(group)
            parts.append(_headings(headings, columns))
        seed = group[0][1].row
        parts.append(f'<span class="side">{escape(seed.removeprefix("seed "))}</span>')
        parts += [_thumb(index, saved, index == chosen) for index, saved in group]
        missing = columns - len(group) if not (number == last and state.files) else 0
        parts.append('<span class="to-come"></span>' * missing if shared else "")
        parts.append("<i></i>" * (0 if shared and missing else columns - len(group)))
    return (
        f'<div class="scroll"><div class="sheet" style="--columns:{columns}" role="group" '
        f'aria-label="Strengths across, seeds down">{"".join(parts)}</div></div>'
    )


def _labels(group: Iterable[tuple[int, SavedPicture]]) -> list[str]:
    """Return the strengths of a row."""
    return [_number(saved) for _, saved in group]


def _headings(labels: Sequence[str], columns: int) -> str:
    """Return strengths above their columns."""
    cells = "".join(f'<span class="head">{escape(label)}</span>' for label in labels)
    return f'<span class="corner">seed</span>{cells}{"<i></i>" * (columns - len(labels))}'


def _thumb(index: int, saved: SavedPicture, chosen: bool) -> str:  # noqa: FBT001
    """Return a small picture that is shown in large when it is pressed."""
    return (
        f'<button type="button" class="thumb" aria-label="{_name(saved)}" '
        f'aria-pressed="{str(chosen).lower()}" tabindex="{0 if chosen else -1}" '
        f'data-index="{index}" data-src="{address(saved.path)}" '
        f'data-file="{escape(saved.path.name)}" data-title="{_title(saved)}" '
        f'data-facts="{escape(facts(saved))}"><img src="{address(saved.path)}" alt=""></button>'
    )


def _number(saved: SavedPicture) -> str:
    """Return the strength of an edit, alone."""
    return saved.label.removeprefix("alpha ")


def _title(saved: SavedPicture) -> str:
    """Return a picture's strength as a heading."""
    return escape(saved.label)


def _name(saved: SavedPicture) -> str:
    """Return what a picture is, in words."""
    return escape(f"{saved.picture.target}, {saved.label}, {saved.row}")


def _waiting(state: SweepState, before: Path) -> str:
    """Return the input, and empty places for the pictures to come."""
    (first, *_), columns = state.sweep.seeds, state.sweep.columns
    headings = _headings([f"{alpha:g}" for alpha in state.sweep.alphas], columns)
    cells = f'<span class="side">{first}</span>' + '<span class="to-come"></span>' * columns
    return (
        f'<figure class="view"><img src="{address(before)}" alt="The input"></figure>'
        '<p class="about"><span>the input, as the model sees it</span></p>'
        f'<div class="scroll"><div class="sheet" style="--columns:{columns}">{headings}{cells}</div>'
        "</div>"
    )


def _image(path: Path | None, words: str) -> str:
    """Return a picture, or an empty place for it."""
    if path is None:
        return '<span class="to-come"></span>'
    return f'<img src="{address(path)}" alt="{escape(words)}">'
