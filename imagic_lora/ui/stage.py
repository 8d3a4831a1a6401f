"""The pictures of the page as HTML: one large one to look at, and the sheet of all beneath it.

What they do when they are touched is in `looking.js`; whatever comes from outside is escaped.
"""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from imagic_lora.images.canvas import Frame
from imagic_lora.ui import markup, sheet
from imagic_lora.ui.jobs.edit import SweepState
from imagic_lora.ui.jobs.pictures import SavedEdit

_EMPTY = (
    '<button type="button" class="drop" data-press="picture"><b>Drop a picture here</b>'
    "<span>paste one, or click to choose</span></button>"
)


def empty() -> str:
    """Return the place for a picture, as long as there is none."""
    return f'<div class="stage">{_EMPTY}</div>'


def hint(words: str) -> str:
    """Return what stands where pictures will be."""
    return _stage(f'<p class="hint">{escape(words)}</p>')


def framed(shown: Path, frame: Frame, name: str, veil: Path | None = None) -> str:
    """Return a picture with what will be edited of it, the rest dimmed; `framing.js` moves it.

    Args:
        shown: A copy of the whole picture.
        frame: Which part of it is edited, at which size.
        name: What the picture is called.
        veil: What lies over the part that is edited, or None.
    """
    (width, height), (left, upper, right, lower) = frame.whole, frame.box
    whole = " whole" if (right - left, lower - upper) == frame.whole else ""
    place = (
        f"left:{left / width:.3%};top:{upper / height:.3%};"
        f"width:{(right - left) / width:.3%};height:{(lower - upper) / height:.3%}"
    )
    box = f'<div class="box{whole}" style="{place}">{_veil(veil)}<i class="grip"></i></div>'
    words = f"{width} x {height} pixels, edited at {frame.size[0]} x {frame.size[1]}"
    return _stage(
        f'<figure class="view" style="--ratio:{width / height:.4f}">'
        f'<img src="{markup.address(shown)}" alt="{escape(name)}">{box}</figure>'
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
        f'<img src="{markup.address(shown)}" alt="{escape(words)}">{_veil(veil)}</figure>'
        f'<p class="about"><span>{escape(words)}</span></p>'
    )


def results(state: SweepState) -> str:
    """Return the pictures of a sweep: the best of those there are in large, and all beneath."""
    made, before = state.made, state.before
    if not made:
        return "" if before is None else _stage(_waiting(state, before))
    index = state.shown
    shown = made[index]
    views = f'<div class="views">{_pair(before, shown)}{_second(shown)}</div>'
    through = sheet.through(state, shown)
    return _stage(views + through + _about(shown) + sheet.contact(state, index))


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
    return _stage(f'<div class="abreast" style="--columns:{len(pictures)}">{figures}</div>')


def _veil(veil: Path | None) -> str:
    """Return what dims all that a mask keeps as it is."""
    return "" if veil is None else f'<img class="veil" src="{markup.address(veil)}" alt="A mask">'


def _stage(inner: str) -> str:
    """Return what is shown in the place of the pictures."""
    return f'<div class="stage">{inner}</div>'


def _pair(before: Path | None, after: SavedEdit) -> str:
    """Return a picture over the input, with a divider that is dragged or moved by the arrow keys."""
    return (
        f'<figure class="view pair" style="{_ratio(after)}">'
        f'<img class="after" src="{markup.address(after.path)}" alt="{sheet.name(after)}">'
        f'<img class="before" src="{markup.address(before) if before else ""}" alt="The input">'
        '<span class="tag left">before</span><span class="tag right">after</span>'
        f'<span class="tag which">{escape(after.caption)}</span>'
        '<input type="range" class="cut" min="0" max="100" value="0" '
        'aria-label="Before and after: how much of the input is shown"></figure>'
    )


def _second(first: SavedEdit) -> str:
    """Return the place of another picture beside the first, until one is chosen."""
    return (
        f'<figure class="view second" style="{_ratio(first)}" hidden><img class="after" alt="">'
        '<span class="tag which"></span></figure>'
    )


def _ratio(shown: SavedEdit) -> str:
    """Return the shape of a picture."""
    width, height = shown.picture.image.size
    return f"--ratio:{width / height:.4f}"


def _about(shown: SavedEdit) -> str:
    """Return what is known of the picture that is shown in large, and what can be done with it."""
    return (
        f'<div class="about"><b>{escape(shown.label)}</b><div class="deeds">'
        '<button type="button" data-step="ArrowLeft" aria-label="weaker">&lsaquo;</button>'
        '<button type="button" data-step="ArrowRight" aria-label="stronger">&rsaquo;</button>'
        '<button type="button" data-act="hold">Hold for the input</button>'
        '<button type="button" data-act="full">Full window</button>'
        '<button type="button" data-act="beside">Side by side</button>'
        '<button type="button" data-act="finer">Finer between these two</button>'
        '<button type="button" data-act="further">Edit further</button>'
        f'<a class="one" href="{markup.address(shown.path)}" download="{escape(shown.path.name)}">'
        "Download</a><details><summary>Settings</summary>"
        f'<span class="facts-line">{escape(sheet.facts(shown))}</span></details></div></div>'
    )


def _waiting(state: SweepState, before: Path) -> str:
    """Return the input, and empty places for the pictures to come."""
    return (
        f'<figure class="view"><img src="{markup.address(before)}" alt="The input"></figure>'
        f'<p class="about"><span>the input, as the model sees it</span></p>{sheet.contact(state, -1)}'
    )


def _image(path: Path | None, words: str) -> str:
    """Return a picture, or an empty place for it."""
    if path is None:
        return '<span class="to-come"></span>'
    return f'<img src="{markup.address(path)}" alt="{escape(words)}">'
