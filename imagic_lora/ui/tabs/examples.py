"""Pictures to begin with, for who has none at hand: one click takes a picture and its words."""

from collections.abc import Callable
from typing import Any

import gradio

from imagic_lora.ui import markup, widgets
from imagic_lora.ui.tabs.picture import PictureForm
from imagic_lora.ui.widgets import Values
from imagic_lora.ui.workspace import Workspace


class Examples:
    """The small pictures to click, laid out where they are made.

    Args:
        workspace: What all parts share.
        picture: The form that a click fills.
    """

    def __init__(self, workspace: Workspace, picture: PictureForm) -> None:
        self._workspace, self._picture = workspace, picture
        self.pictures = gradio.HTML(elem_id="examples")
        self.limits = gradio.HTML(elem_id="limits")
        self.take = gradio.Button(visible="hidden", elem_id="example-take")
        self.number = gradio.Textbox(visible=False, elem_id="example-number")
        for widget, value in self.show().items():
            widget.value = value

    def wire(self, emptied: dict[Any, Any], look: Callable[[Any], Any]) -> None:
        """Connect the widgets.

        Args:
            emptied: What other widgets show as soon as there is another picture.
            look: Shows the picture anew after an event.
        """
        self._emptied = emptied
        outputs = [*self._picture.filled, *emptied]
        look(self.take.click(self._take, {self.number}, outputs, **widgets.SAID).then)

    def show(self) -> dict[Any, Any]:
        """Return what there is to begin with on the model at hand."""
        welcome = self._workspace.welcome
        if welcome is None:
            return {self.pictures: "", self.limits: ""}
        pairs = [(each.picture, each.target) for each in welcome.examples]
        limits = markup.aside(welcome.limits) if welcome.limits else ""
        return {self.pictures: markup.examples(pairs), self.limits: limits}

    def _take(self, values: Values, request: gradio.Request) -> dict[Any, Any]:
        """Edit the example that was clicked from now on."""
        session, number = self._workspace.session(request), str(values[self.number])
        welcome = self._workspace.welcome
        known = {str(index): each for index, each in enumerate(welcome.examples if welcome else ())}
        if number not in known:
            return widgets.nothing()
        return {**self._picture.begin(session, known[number]), **self._emptied}
