"""How scores are written in tables: names, units, digits, and which way is better."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from imagic_lora.bench.intervals import Mean


@dataclass(frozen=True)
class Column:
    """A score in a table.

    Attributes:
        title: Its heading.
        higher: Whether more is better.
        unit: What it is multiplied by.
        digits: Digits after the point.
    """

    title: str
    higher: bool
    unit: float = 1.0
    digits: int = 2

    @property
    def heading(self) -> str:
        """The title with its direction."""
        return f"{self.title} {'↑' if self.higher else '↓'}"

    def cell(self, mean: Mean | None) -> str:
        """Return a mean with its interval; "-" where there is none."""
        if mean is None:
            return "-"
        value, low, high = (
            f"{self.unit * one:.{self.digits}f}" for one in (mean.value, mean.low, mean.high)
        )
        return f"{value} [{low}, {high}] n={mean.count}"

    def label(self, row: str, value: float | None) -> str:
        """Return a row with one score of it; the row alone where there is none."""
        return row if value is None else f"{row}: {self.unit * value:.{self.digits}f}"


def _lpips(name: str) -> Column:
    return Column(f"LPIPS {name}", higher=False, digits=3)


Columns = Mapping[str, Column]

COLUMNS: Columns = MappingProxyType(
    {
        "structure": Column("structure x 10³", higher=False, unit=1e3),
        "structure_corrected": Column("structure, corrected, x 10³", higher=False, unit=1e3),
        "psnr": Column("PSNR, dB", higher=True),
        "lpips_squeeze": Column("LPIPS squeeze x 10³", higher=False, unit=1e3),
        "mse": Column("MSE x 10⁴", higher=False, unit=1e4),
        "ssim": Column("SSIM x 10²", higher=True, unit=1e2),
        "clip": Column("CLIP L/14", higher=True),
        "clip_edited": Column("CLIP L/14, edited part", higher=True),
        "clip_direction": Column("CLIP direction", higher=True, digits=3),
        "clip_b16": Column("CLIP B/16", higher=True),
        "clip_direction_b16": Column("CLIP B/16 direction", higher=True, digits=3),
        "lpips_alex_512": _lpips("alex 512"),
        "lpips_alex_256": _lpips("alex 256"),
        "lpips_vgg_512": _lpips("vgg 512"),
        "lpips_vgg_256": _lpips("vgg 256"),
        "dino_identity": Column("DINOv2 identity", higher=True, digits=3),
        "judged": Column("judged done x 10²", higher=True, unit=1e2, digits=1),
        "imgedit": Column("ImgEdit, 1 to 5", higher=True),
        "vie_sc": Column("GEdit SC, 0 to 10", higher=True),
        "vie_pq": Column("GEdit PQ, 0 to 10", higher=True),
        "vie_overall": Column("GEdit O, 0 to 10", higher=True),
        "unanswered": Column("not answered x 10²", higher=False, unit=1e2, digits=1),
    }
)
"""All scores, in the order of tables; the first seven, with the edited part's, are PIE-Bench's."""
