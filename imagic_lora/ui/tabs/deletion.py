"""Deleting what a part of the page keeps: asked for, then confirmed, and only what was asked about."""

from collections.abc import Callable
from typing import Any

import gradio

from imagic_lora.errors import ImagicError
from imagic_lora.ui import markup, widgets
from imagic_lora.ui.sessions import Session
from imagic_lora.ui.workspace import Workspace


class Deletion:
    """The buttons that delete, laid out where they are made.

    Args:
        workspace: What all parts share.
        part: What the part of the page is called.
        chosen: Returns the name of what a session has chosen there.
        delete: Deletes what has a name for a session, and returns what to say of it.
    """

    def __init__(
        self,
        workspace: Workspace,
        part: str,
        chosen: Callable[[Session], str],
        delete: Callable[[Session, str], str],
    ) -> None:
        self._workspace, self._part = workspace, part
        self._chosen, self._delete = chosen, delete
        self.ask = gradio.Button("Delete", variant="stop", elem_id=f"{part}-delete")
        with gradio.Row(visible=False, elem_id=f"{part}-asking") as self.asking:
            self.sure = gradio.Button(
                "Yes, delete it for good", variant="stop", elem_id=f"{part}-sure"
            )
            self.spare = gradio.Button("No, leave it", elem_id=f"{part}-spare")

    def wire(self, status: Any) -> Any:
        """Connect the buttons; return the event of a deletion.

        Args:
            status: Where what came of it is said.
        """
        self._status = status
        self.ask.click(self._asked, outputs=[self.asking], **widgets.QUIET)
        self.spare.click(self._spared, outputs=[self.asking], **widgets.QUIET)
        return self.sure.click(self._confirmed, outputs=[status], **widgets.QUIET)

    def question(self, session: Session) -> Any:
        """Take back the question, if it was asked of anything but what is chosen now."""
        if session.doomed.get(self._part, "") in ("", self._chosen(session)):
            return gradio.skip()
        del session.doomed[self._part]
        return gradio.Row(visible=False)

    def _asked(self, request: gradio.Request) -> dict[Any, Any]:
        """Ask whether to delete what is chosen."""
        session = self._workspace.session(request)
        session.doomed[self._part] = self._chosen(session)
        return {self.asking: gradio.Row(visible=True)}

    def _spared(self, request: gradio.Request) -> dict[Any, Any]:
        """Leave what was asked about."""
        self._workspace.session(request).doomed.pop(self._part, None)
        return {self.asking: gradio.Row(visible=False)}

    def _confirmed(self, request: gradio.Request) -> dict[Any, Any]:
        """Delete what was asked about."""
        session = self._workspace.session(request)
        try:
            said = self._delete(session, session.doomed.get(self._part, ""))
        except ImagicError as error:
            return {self._status: markup.note(str(error), "bad")}
        return {self._status: markup.note(said, "good")}
