"""A worker: an editor that does one job after another in a folder, and tells what happens.

Knows nothing of other workers, nor of who hands out the jobs. Every file is written whole or not at
all, and work that is done twice writes the same bytes.
"""

import hashlib
import os
import platform
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagic_lora.adapters.adapter import Adapter
from imagic_lora.errors import AdapterFileError, ImagicError, OutputError, heard_by
from imagic_lora.files import check_writable
from imagic_lora.images.png import save_png
from imagic_lora.images.reading import open_image, open_mask
from imagic_lora.memory import device_name, peak_bytes
from imagic_lora.progress import OnProgress, Progress
from imagic_lora.runs.asked import record
from imagic_lora.runs.events import Fitted, Outcome, Ready, Step, WorkEvent
from imagic_lora.runs.jobs import Job
from imagic_lora.runs.passes import Passes, counting
from imagic_lora.runs.rows import Row

if TYPE_CHECKING:
    from imagic_lora.editor import ImagicEditor


@dataclass(frozen=True)
class Worker:
    """Does jobs.

    Attributes:
        editor: Fits and edits.
        out: The folder of the run.
        model: Name of the model, as it was asked for.
        name: What the worker is called.
        tell: Takes what happens.
    """

    editor: "ImagicEditor"
    out: Path
    model: str
    name: str
    tell: Callable[[WorkEvent], None]

    def ready(self) -> Ready:
        """Return who works with what."""
        traits = self.editor.model.traits
        return Ready(
            worker=self.name,
            device=device_name(self.editor.plan.device),
            host=platform.node(),
            process=os.getpid(),
            base_model=traits.name,
            fingerprint=traits.fingerprint,
        )

    def do(self, job: Job) -> None:
        """Do one job, and tell how each of its rows ended.

        Args:
            job: The fit and its edits; an adapter that is there already is used.

        Raises:
            OutputError: When a file cannot be written: no other row would fare better.
        """
        warnings: list[str] = []
        began = time.monotonic()
        try:
            with heard_by(warnings.append), counting(self.editor.model.denoiser) as passes:
                adapter, fitted = self._adapter(job)
        except OutputError:
            raise
        except Exception as error:  # noqa: BLE001  the other jobs go on
            for row in job.rows:
                self.tell(self._failed(row, error))
            return
        spent = round(time.monotonic() - began, 3) if fitted else None
        self.tell(Fitted(worker=self.name, adapter=job.rows[0].adapter, seconds=spent))
        for row in job.rows:
            done = self._row(row, adapter)
            done = replace(done, fit_seconds=spent, warnings=(*warnings, *done.warnings))
            self.tell(_with_fit(done, passes) if fitted else done)

    def _adapter(self, job: Job) -> tuple[Adapter, bool]:
        """Return the adapter of a job, and whether it had to be fitted."""
        path, first = self.out / job.rows[0].adapter, job.rows[0]
        if (kept := self._kept(path, first)) is not None:
            return kept, False
        check_writable(path, force=True)
        adapter = self.editor.fit(
            first.image.open(open_image),
            target=job.target,
            source=first.source,
            settings=first.fit,
            on_progress=self._steps(f"fit of {first.image.name}"),
        )
        adapter.save(path, force=True)
        return adapter, True

    def _kept(self, path: Path, row: Row) -> Adapter | None:
        """Return the adapter that is there, if it is what a row asks for."""
        if not path.exists():
            return None
        try:
            adapter = Adapter.load(path)
        except AdapterFileError:
            return None  # of an earlier form or damaged: it is fitted anew
        found, traits = adapter.record, self.editor.model.traits
        same = (found.image_sha256, found.settings, found.source) == (
            row.image.sha256,
            row.fit,
            found.source if row.source is None else row.source,
        )
        return adapter if same and found.fingerprint == traits.fingerprint else None

    def _row(self, row: Row, adapter: Adapter) -> Outcome:
        """Make the picture of a row, and return how that ended."""
        warnings: list[str] = []
        began = time.monotonic()
        try:
            with heard_by(warnings.append), counting(self.editor.model.denoiser) as passes:
                made = self._picture(row, adapter)
        except OutputError:
            raise
        except Exception as error:  # noqa: BLE001  the other rows go on
            return replace(self._failed(row, error), warnings=tuple(warnings))
        return Outcome(
            id=row.id,
            status="ok",
            adapter=row.adapter,
            adapter_sha256=adapter.sha256,
            picture=row.picture,
            seconds=round(time.monotonic() - began, 3),
            forward=passes.forward,
            warnings=tuple(warnings),
            notes=row.notes,
            **self._where(),
            **made,
        )

    def _picture(self, row: Row, adapter: Adapter) -> dict[str, Any]:
        """Make and write the picture of a row, and return what is to be known of it."""
        edit = self.editor.edit(
            adapter,
            alpha=row.alpha,
            target=row.target,
            mask=None if row.mask is None else row.mask.open(open_mask),
            settings=row.edit,
            on_progress=self._steps(f"{row.id}, {row.target!r}"),
        )
        path = self.out / row.picture
        save_png(edit.image, path, record(edit, row, self.model), force=True)
        return {
            "alpha": edit.alpha,
            "picture_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "levers": edit.levers,
            "relieved": edit.relieved,
        }

    def _failed(self, row: Row, error: Exception) -> Outcome:
        """Return the outcome of a row that failed; what is no error of ours keeps its traceback."""
        known = isinstance(error, ImagicError)
        return Outcome(
            id=row.id,
            status="error",
            message=str(error) if known else "".join(traceback.format_exception(error)),
            adapter=row.adapter,
            notes=row.notes,
            **self._where(),
        )

    def _where(self) -> dict[str, Any]:
        """Return who worked on what, and with how much memory."""
        device = self.editor.plan.device
        return {
            "worker": self.name,
            "device": device_name(device),
            "peak_bytes": peak_bytes(device),
        }

    def _steps(self, what: str) -> OnProgress:
        """Return a callback that tells the steps of something, without what only a fit can draw."""

        def step(progress: Progress) -> None:
            plain = replace(progress, preview=None)
            self.tell(Step(worker=self.name, what=what, progress=plain))

        return step


def _with_fit(outcome: Outcome, passes: Passes) -> Outcome:
    """Return an outcome with what went through the denoiser for its fit."""
    both = passes.forward_backward
    return replace(outcome, fit_forward=passes.forward, fit_forward_backward=both)
