"""The line of jobs, which every part of the page shows: what runs, what waits, and whose it is."""

from collections.abc import Iterator
from typing import Any

import gradio

from imagic_lora.ui import markup, widgets
from imagic_lora.ui.jobs.queue import Job
from imagic_lora.ui.sessions import Session
from imagic_lora.ui.workspace import Workspace

_LONGEST = 60
"""Characters of a job's title that are shown."""

Row = tuple[str, str, str, str]
"""What a job is, how far it is, what names it, and what its button says."""


class JobsLine:
    """Layout and wiring of the line; the page's script presses `look` now and then.

    Args:
        workspace: What all parts share.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.text = gradio.HTML(elem_id="jobs")
        self.look = gradio.Button(visible="hidden", elem_id="jobs-look")
        self.cancel = gradio.Button(visible="hidden", elem_id="jobs-cancel")
        self.key = gradio.Textbox(visible=False, elem_id="jobs-key")

    def wire(self) -> None:
        """Connect the widgets."""
        self.look.click(self.show, outputs=[self.text], **widgets.QUIET)
        self.cancel.click(self._cancel, {self.key}, [self.text], **widgets.SAID)

    def show(self, request: gradio.Request) -> dict[Any, Any]:
        """Return the jobs as they are."""
        session = self._workspace.session(request)
        return {self.text: markup.jobs(list(_rows(session, self._workspace.jobs.line())))}

    def _cancel(self, values: widgets.Values, request: gradio.Request) -> dict[Any, Any]:
        """End a job of whoever asks, whichever of their pages has begun it."""
        session, jobs = self._workspace.session(request), self._workspace.jobs
        for job in jobs.line():
            if (job.key, job.owner) == (values[self.key], session.visitor):
                jobs.stop(job)
        return self.show(request)


def _rows(session: Session, line: tuple[Job, ...]) -> Iterator[Row]:
    """Yield what is shown of the jobs: all of one's own, and how many others there are."""
    for before, job in enumerate(line):
        if not job.owner:
            yield job.title, "", "", ""
        elif job.owner == session.visitor:
            yield _own(job, before)
        elif job.begun:
            yield "Another visitor's job", f"{job.share:.0%}", "", ""
    others = sum(not job.begun and job.owner not in ("", session.visitor) for job in line)
    if others:
        yield f"{others} job{'s' if others > 1 else ''} of others", "in line", "", ""


def _own(job: Job, before: int) -> Row:
    """Return what is shown of a job to whoever asked for it."""
    title = job.title[:_LONGEST] or "a job"
    if job.stopping:
        return title, "stopping", "", ""
    if job.begun or not before:
        return title, f"{job.share:.0%}", job.key, "Stop"
    return title, f"in line, {before} before it", job.key, "Take it out"
