"""Which part of a picture is edited: typed, moved by sliders, or dragged on the picture itself."""

import re
from typing import Any

import gradio

from imagic_lora.images.canvas import Frame, Size
from imagic_lora.settings import Option
from imagic_lora.ui import widgets
from imagic_lora.ui.widgets import Values

_ZOOM = Option("how many times narrower than it could be", low=1, high=100, usual=(1, 4))
_ACROSS = Option("where it lies: 0 is at the left, 1 at the right", low=0, high=1, usual=(0, 1))
_DOWN = Option("where it lies: 0 is at the top, 1 at the bottom", low=0, high=1, usual=(0, 1))


class CropForm:
    """The widgets that say which part of a picture is edited, laid out where they are made."""

    def __init__(self) -> None:
        self.zoom = widgets.widget("zoom", _ZOOM, 1.0, elem_id="crop-zoom")
        self.across = widgets.widget("across", _ACROSS, 0.5, elem_id="crop-across")
        self.down = widgets.widget("down", _DOWN, 0.5, elem_id="crop-down")
        self.drag = gradio.Button(visible="hidden", elem_id="crop-drag")
        self.dragged = gradio.Textbox(visible=False, elem_id="crop-dragged")

    @property
    def whole(self) -> dict[Any, Any]:
        """What the widgets hold where as much of a picture is edited as can be."""
        return {self.zoom: 1.0, self.across: 0.5, self.down: 0.5}

    def wire(self) -> Any:
        """Connect the widgets; return the event after which the picture is to be shown anew."""
        how = {**widgets.SAID, **widgets.EACH}
        return self.drag.click(self._drag, {self.dragged}, list(self.whole), **how)

    def frame(self, size: Size, canvas: Size, values: Values) -> Frame:
        """Return which part of a picture is edited.

        Args:
            size: Width and height of the picture, in pixels.
            canvas: Width and height at which it is edited.
            values: What the widgets hold.

        Raises:
            SettingsError: When a value is not allowed.
        """
        across = widgets.number("across", _ACROSS, values[self.across])
        down = widgets.number("down", _DOWN, values[self.down])
        zoom = widgets.number("zoom", _ZOOM, values[self.zoom])
        return Frame.of(size, canvas, centre=(across, down), zoom=zoom)

    def _drag(self, values: Values) -> dict[Any, Any]:
        """Let the crop lie where its frame was dragged to, which the page's script says in numbers."""
        found = re.findall(r"[\d.]+", values[self.dragged] or "")
        try:
            return dict(zip(self.whole, map(float, found), strict=True))
        except ValueError:
            return widgets.nothing()
