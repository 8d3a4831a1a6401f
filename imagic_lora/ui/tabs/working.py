"""What the parts of the page that work have alike: pictures on the left, what asks on the right."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import gradio

from imagic_lora.errors import ImagicError
from imagic_lora.ui import markup, widgets
from imagic_lora.ui.jobs.queue import Job, View, Work
from imagic_lora.ui.sessions import Session
from imagic_lora.ui.widgets import Values
from imagic_lora.ui.workspace import Workspace

BUSY = "One is under way already: wait for it, or stop it."


class WorkingTab(ABC):
    """Layout and wiring of one kind of work: a button starts a job, and another ends it.

    Args:
        workspace: What all parts share.
        name: What its jobs are called in a session.
    """

    def __init__(self, workspace: Workspace, name: str) -> None:
        self._workspace, self._name = workspace, name
        with gradio.Row(equal_height=False, elem_classes=["work"]):
            with gradio.Column(elem_classes=["pictures"]):
                self._pictures()
            with gradio.Column(elem_classes=["controls"]):
                self._controls()

    @abstractmethod
    def _pictures(self) -> None:
        """Lay out what comes of the work."""

    @abstractmethod
    def _controls(self) -> None:
        """Lay out what asks for the work."""

    @abstractmethod
    def _work(self, session: Session, values: Values) -> Work:
        """Return the job that is asked for, everything checked that can be checked before."""

    @abstractmethod
    def _title(self, session: Session, values: Values) -> str:
        """Return what a job is called in the line of jobs."""

    @abstractmethod
    def _follow(self, session: Session, views: Iterable[View]) -> Iterator[dict[Any, Any]]:
        """Yield what the widgets show of a job, from one view to the next."""

    def _bar(self, run: str, text: str) -> None:
        """Lay out the buttons that start and end the work, and what says how far it is.

        Args:
            run: What stands on the first button.
            text: What is said before anything was started.
        """
        with gradio.Column(elem_classes=["run-bar"]):
            with gradio.Row():
                self.run = gradio.Button(
                    run, variant="primary", elem_id=f"{self._name}-run", scale=3, min_width=120
                )
                self.stop = gradio.Button(
                    "Stop", visible=False, elem_id=f"{self._name}-stop", scale=1, min_width=80
                )
            said = markup.note(text) if text else ""
            self.status = gradio.HTML(said, elem_id=f"{self._name}-status")

    def _can_run(self, view: View | None) -> dict[Any, Any]:
        """Return the buttons as they are while a job is as it is seen."""
        over = view is None or view.done
        return {
            self.run: gradio.Button(interactive=over),
            self.stop: gradio.Button(
                visible=not over, interactive=bool(view and not view.stopping)
            ),
        }

    def _start(self, events: list[Any], asked: set[Any], shown: list[Any]) -> Any:
        """Connect the buttons and other events that start the work; return the event of its end."""
        self.stop.click(self._stop, outputs=[self.stop], **widgets.QUIET)
        return gradio.on(events, self._run, asked, shown, **widgets.STREAM)

    def watch(self, request: gradio.Request) -> Iterator[dict[Any, Any]]:
        """Yield what is to be seen of a session's job, if there is one."""
        session = self._workspace.session(request)
        job = session.jobs.get(self._name)
        if job is None:
            yield widgets.nothing()
            return
        yield from self._follow(session, self._workspace.jobs.watch(job))

    def _run(self, values: Values, request: gradio.Request) -> Iterator[dict[Any, Any]]:
        """Check what was given, get in the queue, and yield how far the work is."""
        session = self._workspace.session(request)
        title = self._title(session, values)
        yield from self._begin(title, partial(self._work, session, values), request)

    def _begin(
        self, title: str, prepare: Callable[[], Work], request: gradio.Request
    ) -> Iterator[dict[Any, Any]]:
        """Put a job in the queue, and yield how far it is; of each part there is one at a time.

        Args:
            title: What it is called in the line of jobs.
            prepare: Returns what it does, or raises an ImagicError.
            request: Whose job it is.
        """
        session, jobs = self._workspace.session(request), self._workspace.jobs
        if self.is_busy(session):  # asked for by a key, in a page that was loaded anew
            yield {self.status: markup.note(BUSY, "warn")}
            yield from self.watch(request)
            return
        try:  # nothing here holds what the job works with
            session.jobs[self._name] = jobs.submit(prepare(), title=title, owner=session.visitor)
        except ImagicError as error:
            yield {self.status: markup.note(str(error), "bad")}
            return
        yield from self.watch(request)

    def is_busy(self, session: Session) -> bool:
        """Return whether a job of a session waits or runs here."""
        job = session.jobs.get(self._name)
        return job is not None and not job.done

    def _stop(self, request: gradio.Request) -> dict[Any, Any]:
        """Ask a session's job to end; what it has is kept."""
        job: Job | None = self._workspace.session(request).jobs.get(self._name)
        if job is not None:
            self._workspace.jobs.stop(job)
        return {self.stop: gradio.Button(interactive=False)}
