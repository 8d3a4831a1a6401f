"""The part of the page that edits: an adapter, a prompt, strengths and seeds; a grid of pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import gradio
from PIL import Image

from imagic_lora.adapter import Adapter
from imagic_lora.errors import AdapterError, ImagicError, PromptError, SettingsError
from imagic_lora.progress import Progress
from imagic_lora.settings import ALPHA, EditSettings, options
from imagic_lora.ui import markup, widgets
from imagic_lora.ui.desk import Job, View
from imagic_lora.ui.prints import Print, Prints
from imagic_lora.ui.restore import Recipe
from imagic_lora.ui.studio import Studio

_MOST = 64
"""Pictures of one sweep: what a person can look over."""

_WAITING = "Choose an adapter, say what the picture should show, then press Edit."
_EMPTY = "There is no adapter yet: fit a picture first, or bring one in the library."
_SEED = dict(options(EditSettings))["seed"]
_ONE, _SWEEP = "one strength", "a sweep"


@dataclass(frozen=True)
class Plan:
    """What one run of edits is to make.

    Attributes:
        adapter: The adapter.
        target: What to edit towards, or "" for the fit's own.
        alphas: Prompt strengths, a column each.
        seeds: Seeds, a row each.
        settings: How to denoise.
    """

    adapter: Adapter
    target: str
    alphas: tuple[float, ...]
    seeds: tuple[int, ...]
    settings: EditSettings

    def __len__(self) -> int:
        return len(self.alphas) * len(self.seeds)


@dataclass(frozen=True)
class Editing:
    """How far a run of edits is.

    Attributes:
        total: How many pictures it is to make.
        columns: How many of them stand in a row.
        label: What is being made.
        progress: The last step of that.
        made: What is there already.
        before: The input, to hold them against.
        files: The sheet and the archive of all, once all is there.
    """

    total: int
    columns: int
    label: str = ""
    progress: Progress | None = None
    made: tuple[Print, ...] = ()
    before: Path | None = None
    files: tuple[Path, ...] = field(default=())


class EditTab:
    """Layout and wiring of the edits.

    Args:
        studio: What all parts share.
    """

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        low, high = ALPHA.usual or (0, 1)
        alphas = studio.example.alphas if studio.example else (low, high)
        with gradio.Row(equal_height=False):
            with gradio.Column(scale=5, min_width=320):
                self.adapters = gradio.Gallery(
                    label="Adapter",
                    columns=4,
                    height=150,
                    allow_preview=False,
                    interactive=False,
                    buttons=[],
                    object_fit="cover",
                    elem_id="edit-adapters",
                    elem_classes=["picture", "thumbnails"],
                )
                self.chosen = gradio.HTML(elem_id="edit-chosen")
                self.target = gradio.Textbox(
                    label="What it should show",
                    info="default: what the fit was given",
                    lines=1,
                    max_lines=3,
                    elem_id="edit-target",
                )
                self.how = gradio.Radio(
                    [_SWEEP, _ONE], value=_SWEEP, show_label=False, container=False, elem_id="how"
                )
                with gradio.Row(elem_classes=["tight"]) as self.sweep:
                    self.low = gradio.Number(min(alphas), label="from", min_width=80)
                    self.high = gradio.Number(max(alphas), label="to", min_width=80)
                    self.count = gradio.Number(5, label="count", precision=0, min_width=80)
                self.alpha = widgets.widget(
                    "alpha", ALPHA, 1.0, visible=False, elem_id="edit-alpha"
                )
                self.seeds = gradio.Textbox(
                    str(EditSettings.seed),
                    label="seeds",
                    info="a row of pictures for each; several with commas between them",
                    elem_id="edit-seeds",
                )
                with gradio.Row():
                    self.run = gradio.Button("Edit", variant="primary", elem_id="edit-run")
                    self.stop = gradio.Button("Stop", interactive=False, elem_id="edit-stop")
                with gradio.Accordion("More settings", open=False):
                    self.form = widgets.form(EditSettings, skip=("seed",), prefix="edit")
                self.drop = gradio.File(
                    label="Take up the settings of a picture made here",
                    file_count="single",
                    height=110,
                    elem_id="edit-drop",
                )
            with gradio.Column(scale=7, min_width=320):
                self.status = gradio.HTML(markup.note(_WAITING), elem_id="edit-status")
                self.grid = gradio.Gallery(
                    label="Strengths across, seeds down",
                    columns=5,
                    height="auto",
                    allow_preview=False,
                    interactive=False,
                    buttons=[],
                    object_fit="contain",
                    elem_id="edit-grid",
                    elem_classes=["picture"],
                )
                self.slider = gradio.ImageSlider(
                    label="Before and after",
                    interactive=False,
                    visible=False,
                    buttons=[],
                    max_height=420,
                    elem_id="edit-slider",
                    elem_classes=["picture"],
                )
                self.about = gradio.HTML(elem_id="edit-about")
                with gradio.Row(visible=False) as self.downloads:
                    self.one = gradio.DownloadButton("This picture", size="md", elem_id="edit-one")
                    self.sheet = gradio.DownloadButton("The grid", size="md", elem_id="edit-sheet")
                    self.all = gradio.DownloadButton("All, as a zip", size="md", elem_id="edit-all")
        self.details = [self.slider, self.about, self.one]
        self.shown = [
            self.status,
            self.grid,
            self.run,
            self.stop,
            self.downloads,
            self.sheet,
            self.all,
            *self.details,
        ]
        self.strengths = [self.how, self.alpha, self.low, self.high, self.count]
        self.held = [self.target, self.seeds, self.sweep, *self.strengths, *self.form.values()]

    def wire(self) -> None:
        """Connect the widgets."""
        self.how.change(
            lambda how: (gradio.Row(visible=how == _SWEEP), gradio.Slider(visible=how == _ONE)),
            [self.how],
            [self.sweep, self.alpha],
            queue=False,
        )
        self.adapters.select(
            self._choose, outputs=[self.chosen, self.target], show_progress="hidden"
        )
        self.grid.select(self._look, outputs=self.details, show_progress="hidden")
        self.stop.click(self._stop, outputs=[self.stop], queue=False)
        gradio.on(
            [self.run.click, self.target.submit, self.seeds.submit, self.form["negative"].submit],
            self._run,
            [self.target, self.seeds, *self.strengths, *self.form.values()],
            self.shown,
            concurrency_limit=None,
            show_progress="hidden",
        )

    def refresh(self, request: gradio.Request) -> tuple[Any, Any]:
        """Return the adapters that can be chosen, and which one is."""
        session = self._studio.session(request)
        entries = [entry for entry in self._studio.shelf.entries() if not entry.mismatch]
        names = [entry.name for entry in entries]
        if session.adapter not in names:
            session.adapter = names[0] if names else ""
        if not entries:
            return gradio.Gallery([], visible=False), markup.note(_EMPTY, "warn")
        pictures = [(entry.thumbnail or blank(), entry.name) for entry in entries]
        index = names.index(session.adapter)
        return gradio.Gallery(pictures, visible=True, selected_index=index), self._about(request)

    def take_up(self, recipe: Recipe) -> dict[Any, Any]:
        """Return what the widgets show of a recipe."""
        low, high = min(recipe.alphas), max(recipe.alphas)
        many = len(recipe.alphas) > 1
        return {
            self.target: recipe.target,
            self.seeds: ", ".join(map(str, recipe.seeds)),
            self.how: _SWEEP if many else _ONE,
            self.sweep: gradio.Row(visible=many),
            self.alpha: gradio.Slider(low, visible=not many),
            self.low: low,
            self.high: high,
            self.count: len(recipe.alphas),
            **{widget: getattr(recipe.settings, name) for name, widget in self.form.items()},
        }

    def watch(self, request: gradio.Request) -> Iterator[Sequence[Any]]:
        """Yield what is to be seen of a session's edits; nothing where there are none."""
        session, shown = self._studio.session(request), -1
        if session.edits is None:
            return
        for view in self._studio.desk.watch(session.edits):
            state = view.state
            session.made = state.made if state else ()
            session.before = state.before if state else None
            count = len(session.made)
            yield self._show(view, state, count != shown)
            shown = count

    def _about(self, request: gradio.Request) -> str:
        """Return in words which adapter is chosen."""
        try:
            entry = self._studio.shelf.find(self._studio.session(request).adapter)
        except AdapterError as error:
            return markup.note(str(error), "bad")
        record = entry.record
        return markup.facts(
            [
                ("adapter", entry.name),
                ("shows", record.source),
                ("fitted for", record.target),
                ("size", f"{record.width} x {record.height}"),
            ]
        )

    def _choose(self, picked: gradio.SelectData, request: gradio.Request) -> tuple[Any, Any]:
        """Choose the adapter that was clicked; its own target is the first to try."""
        session = self._studio.session(request)
        session.adapter = str(picked.value["caption"])
        try:
            target = self._studio.shelf.find(session.adapter).record.target
        except AdapterError:
            target = ""
        return self._about(request), target or gradio.skip()

    def _run(self, request: gradio.Request, target: str, seeds: str, *values: Any) -> Any:
        """Check what was given, get in line, and yield the pictures as they are made."""
        session = self._studio.session(request)
        try:
            plan = self._plan(session.adapter, target, seeds, *values)
        except ImagicError as error:
            yield self._failed(markup.note(str(error), "bad"))
            return
        prints = Prints(session.folder)
        session.edits = self._studio.desk.submit(partial(self._edit, plan, prints))
        yield from self.watch(request)

    def _plan(self, name: str, target: str, seeds: str, *values: Any) -> Plan:
        """Return what is to be made, everything checked that can be checked before."""
        if not name:
            raise AdapterError(_EMPTY)
        adapter = self._studio.shelf.load(name)
        if not (target.strip() or adapter.record.target):
            raise PromptError("The adapter was fitted without a target; say what it should show.")
        found = widgets.seeds(seeds, _SEED)
        settings = widgets.read(EditSettings, tuple(self.form), values[5:], seed=found[0])
        plan = Plan(adapter, target.strip(), _alphas(*values[:5]), found, settings)
        if len(plan) > _MOST:
            raise SettingsError(
                f"{len(plan)} pictures were asked for, allowed are {_MOST}; lower the count, or "
                "give fewer seeds."
            )
        return plan

    def _edit(self, plan: Plan, prints: Prints, job: Job) -> None:
        """Make one picture after another; a stop keeps those that are there."""
        editor = self._studio.editor
        first = editor.input_image(plan.adapter)
        state = Editing(len(plan), len(plan.alphas), before=prints.save_input(first))
        job.post(state)

        def show(progress: Progress) -> None:
            job.check()
            job.post(replace(state, progress=progress))

        try:
            for seed in plan.seeds:
                for alpha in plan.alphas:
                    state = replace(state, label=f"alpha {alpha:g}, seed {seed}")
                    picture = editor.edit(
                        plan.adapter,
                        alpha=alpha,
                        target=plan.target,
                        settings=replace(plan.settings, seed=seed),
                        on_progress=show,
                    )
                    made = prints.save(picture, f"alpha {alpha:g}", f"seed {seed}")
                    state = replace(state, made=(*state.made, made), progress=None)
                    job.post(state)
        finally:
            if state.made:
                sheet = prints.save_sheet(state.made, first)
                job.post(replace(state, files=(sheet, prints.save_all(state.made, [sheet]))))

    def _show(self, view: View, state: Editing | None, more: bool) -> Sequence[Any]:  # noqa: FBT001
        """Return what the widgets show of a run."""
        made = state.made if state else ()
        grid = gradio.skip()
        if state and more:
            pictures = [(each.path, each.caption) for each in made]
            grid = gradio.Gallery(pictures, columns=state.columns, label=_title(made))
        if not view.done:
            text = _progress_text(view, state) + markup.notes(view.notes)
            busy = gradio.Button(interactive=False)
            ready = gradio.Button("Stop", interactive=not view.stopping)
            return text, grid, busy, ready, *[gradio.skip()] * 6
        text = markup.notes(view.notes)
        if view.error:
            text = markup.note(view.error, "bad") + text
        else:
            text = markup.note(_done_text(state), "good") + text
        files = [str(path) for path in state.files] if state and state.files else [None, None]
        best = min(made, key=lambda each: abs(getattr(each.picture, "alpha", 0) - 1), default=None)
        details = self._details(best, state.before if state else None)
        free, idle = gradio.Button(interactive=True), gradio.Button("Stop", interactive=False)
        return text, grid, free, idle, gradio.Row(visible=bool(made)), *files, *details

    def _failed(self, text: str) -> Sequence[Any]:
        """Return what the widgets show where nothing could begin."""
        return text, *[gradio.skip()] * (len(self.shown) - 1)

    def _look(self, picked: gradio.SelectData, request: gradio.Request) -> Sequence[Any]:
        """Show the picture that was clicked beside the input."""
        session = self._studio.session(request)
        if not 0 <= picked.index < len(session.made):
            return [gradio.skip()] * 3
        return self._details(session.made[picked.index], session.before)

    def _details(self, chosen: Print | None, before: Path | None) -> Sequence[Any]:
        """Return one picture against the input, what made it, and its file."""
        if chosen is None:
            return gradio.ImageSlider(visible=False), "", None
        pair = gradio.ImageSlider(
            (str(before), str(chosen.path)),
            label=f"Before and after: {chosen.caption}",
            visible=True,
        )
        record = chosen.picture.record()
        named = [("target", record["target"]), ("alpha", f"{record['alpha']:g}")]
        return (
            pair,
            markup.facts([*named, *markup.settings_facts(record["settings"])]),
            str(chosen.path),
        )

    def _stop(self, request: gradio.Request) -> Any:
        """Ask a session's edits to end; what is made stays."""
        job = self._studio.session(request).edits
        if job is not None and not job.done:
            job.stop()
        return gradio.Button(interactive=False)


def _alphas(how: str, alpha: Any, low: Any, high: Any, count: Any) -> tuple[float, ...]:
    """Return the strengths that were asked for."""
    if how == _ONE:
        return (widgets.number("alpha", ALPHA, alpha),)
    ends = (widgets.number("from", ALPHA, low), widgets.number("to", ALPHA, high))
    if not isinstance(count, int) or not 1 <= count <= _MOST:
        raise SettingsError(
            f"The count was {count!r}, allowed is a whole number from 1 to {_MOST}."
        )
    return widgets.spread(*ends, count)


def _progress_text(view: View, state: Editing | None) -> str:
    """Return how far a run is."""
    if state is None:
        return markup.waiting(view.before)
    count = f"{len(state.made)} of {state.total} done"
    if state.progress is None:
        return markup.note(f"{count}.")
    return markup.bar(state.progress, f"{count} · {state.label}")


def _done_text(state: Editing | None) -> str:
    """Return what became of a run."""
    if state is None:
        return "Stopped before anything was made."
    if len(state.made) < state.total:
        return f"Stopped; {len(state.made)} of {state.total} pictures were made."
    return "Done. Click a picture to hold it against the input."


def _title(made: Sequence[Print]) -> str:
    """Return the heading of a grid."""
    return f'"{made[0].picture.target}"' if made else "Strengths across, seeds down"


def blank() -> Image.Image:
    """Return what stands for an adapter without a thumbnail."""
    return Image.new("RGB", (64, 64), "#b9b6ae")
