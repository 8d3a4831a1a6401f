"""Which adapter of the library is a fit of a picture already, so that none is made twice."""

from dataclasses import dataclass

from imagic_lora.adapters.record import FitRecord
from imagic_lora.images.canvas import Frame
from imagic_lora.settings import FitSettings
from imagic_lora.ui.library import Entry, Library

HARDLY = 0.9
"""Share of the first loss above which a fit has learned next to nothing."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a fit has to be of.

    Attributes:
        image_sha256: Hash of the picture.
        frame: Which part of it, at which size.
        source: Its caption, or "" for any.
        settings: How it is fitted.
        fingerprint: Tells the checkpoint apart.
    """

    image_sha256: str
    frame: Frame
    source: str
    settings: FitSettings
    fingerprint: str

    def found(self, library: Library) -> Entry | None:
        """Return the newest adapter that is such a fit and has learned something, or None."""
        return next((e for e in library.entries() if self.met_by(e.record)), None)

    def met_by(self, record: FitRecord) -> bool:
        """Return whether a record is of such a fit, for whatever prompt."""
        asked = (self.image_sha256, self.frame, self.settings, self.fingerprint)
        held = (record.image_sha256, record.frame, record.settings, record.fingerprint)
        learned = record.gap is not None and record.gap <= HARDLY
        return asked == held and self.source in ("", record.source) and learned
