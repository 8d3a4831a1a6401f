"""The model at hand: what it needs in memory and, on a page that is its owner's alone, another one."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio

from imagic_lora.errors import ImagicError
from imagic_lora.ui import markup, widgets
from imagic_lora.ui.models import Choice
from imagic_lora.ui.widgets import Values
from imagic_lora.ui.workspace import Workspace

_LOADING = "Loading it; the model that was here is let go of first."


class ModelForm:
    """The widgets that show the model and change it, laid out where they are made.

    Args:
        workspace: What all parts share.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace, self._models = workspace, workspace.models
        self.plan = gradio.HTML(self._plan(), elem_id="model-plan")
        if self._models.choice is not None:
            self._choose(self._models.choice)

    def _choose(self, choice: Choice) -> None:
        """Lay out what chooses another model."""
        self.name = gradio.Dropdown(
            [(_called(name), name) for name in choice.names],
            value=self._models.now.name,
            allow_custom_value=True,
            label="another model",
            info="a name, a Hub name (owner/name), a folder, or a checkpoint's file",
            elem_id="model-name",
        )
        self.needs = gradio.HTML(elem_id="model-needs")
        self.load = gradio.Button("Load it", size="sm", elem_id="model-load")
        # Apart from what it needs: that may be said late, and must not hide what became of it.
        self.state = gradio.HTML(elem_id="model-state")

    def wire(self, shown: Callable[[Any], Any]) -> None:
        """Connect the widgets.

        Args:
            shown: Shows everything that depends on the model anew, after an event.
        """
        if self._models.choice is None:
            return
        self.name.input(self._look, {self.name}, [self.needs], **widgets.LATEST)
        shown(self.load.click(self._load, {self.name}, [self.state], **widgets.STREAM).then)

    def show(self) -> dict[Any, Any]:
        """Return what the model at hand needs."""
        return {self.plan: self._plan()}

    def _look(self, values: Values) -> dict[Any, Any]:
        """Say what a model will need."""
        choice, name = self._models.choice, (values[self.name] or "").strip()
        if choice is None or not name:
            return {self.needs: ""}
        try:
            return {self.needs: markup.aside(choice.outlook(name))}
        except ImagicError as error:
            return {self.needs: markup.note(str(error), "bad")}

    def _load(self, values: Values) -> Iterator[dict[Any, Any]]:
        """Load another model in the place of the one at hand."""
        name, jobs = (values[self.name] or "").strip(), self._workspace.jobs
        try:
            job = self._models.change(name, jobs, self._workspace.library.forget)
        except ImagicError as error:
            yield {self.state: markup.note(str(error), "bad")}
            return
        for view in jobs.watch(job):
            if not view.done:
                yield {self.state: markup.note(_LOADING)}
            elif view.error:
                yield {self.state: markup.note(view.error, "bad")}
            else:
                yield {self.state: markup.note(f"{name} is here now.", "good")}

    def _plan(self) -> str:
        """Return what the work will need, as a table, or what it works in where none is known."""
        now = self._models.now
        if now.editor is None:
            return ""
        plan = now.editor.plan
        pairs = [("device", str(plan.device)), ("precision", str(plan.dtype).rpartition(".")[2])]
        if not now.plan:
            levers = ", ".join(each.name for each in plan.levers) or "none"
            return markup.facts([*pairs, ("levers", levers)])
        header = ("phase", "needs", "slower", "levers")
        return markup.facts(pairs) + markup.table(header, now.plan)


def _called(name: str) -> str:
    """Return what a model is called in the list: of a checkpoint, its file's name."""
    return Path(name).name if name.endswith(".safetensors") else name
