"""What others have published on the same benchmarks, as they print it, with where it stands.

Data alone. Whether a row may be read beside ours is said of each table: the same name of a metric
does not make it the same metric.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Published:
    """A table of others.

    Attributes:
        source: Where it was printed.
        columns: Names of its columns.
        rows: Method and its figures, one a column; "-" where there is none.
        items: How many items must be edited to stand beside it; None where nothing makes it so.
        reason: Why, or under which conditions.
    """

    source: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    items: int | None
    reason: str


_PIE = ("structure", "PSNR", "LPIPS", "MSE", "SSIM", "CLIP", "CLIP edited")
_JUDGED = "no: scored by a judge, which is not the one of this report"

PUBLISHED: Mapping[str, tuple[Published, ...]] = MappingProxyType(
    {
        "pie": (
            Published(
                "PnP inversion (Ju et al. 2023), SD 1.4 (PnP: SD 1.5)",
                _PIE,
                (
                    ("DDIM + P2P", "69.43", "17.87", "208.80", "219.88", "71.14", "25.01", "22.44"),
                    (
                        "null-text + P2P",
                        "13.44",
                        "27.03",
                        "60.67",
                        "35.86",
                        "84.11",
                        "24.75",
                        "21.86",
                    ),
                    (
                        "PnP inversion + P2P",
                        "11.65",
                        "27.22",
                        "54.55",
                        "32.86",
                        "84.76",
                        "25.02",
                        "22.10",
                    ),
                    (
                        "PnP inversion + PnP",
                        "24.29",
                        "22.46",
                        "106.06",
                        "80.45",
                        "79.68",
                        "25.41",
                        "22.62",
                    ),
                ),
                700,
                "SD 1.4 or 1.5 at 512 pixels, scored with the default weights",
            ),
            Published(
                "ViMAEdit README, SD 1.4 and 1.5",
                _PIE,
                (
                    (
                        "PnP inversion + P2P-Zero",
                        "51.1",
                        "21.23",
                        "143.9",
                        "135",
                        "77.2",
                        "23.36",
                        "21.03",
                    ),
                    (
                        "PnP inversion + MasaCtrl",
                        "24.5",
                        "22.78",
                        "87.4",
                        "79.9",
                        "81.4",
                        "24.42",
                        "21.38",
                    ),
                    ("InfEdit", "13.8", "28.51", "47.6", "32.1", "85.7", "25.03", "22.22"),
                    ("TurboEdit", "-", "29.52", "44.7", "26.1", "91.6", "25.05", "22.34"),
                    ("ViMAEdit", "12.4", "28.49", "44.4", "29.1", "86.4", "25.97", "22.85"),
                ),
                700,
                "SD 1.4 or 1.5 at 512 pixels, scored with the default weights",
            ),
        ),
        "tedbench": (
            Published(
                "LEDITS++ (Brack et al. 2023), table 2",
                ("success (people)", "LPIPS"),
                (
                    ("Imagic, SD 1.5", "0.55", "0.56"),
                    ("LEDITS++, SD 1.5", "0.75", "0.28"),
                    ("Imagic, Imagen", "0.83", "0.59"),
                    ("LEDITS++, SDXL", "0.84", "0.33"),
                ),
                None,
                "no: neither network nor size of LPIPS is stated; score the authors' own pictures "
                "('imagic/' in TEdBench) by --score to compare",
            ),
        ),
        "tedbench++": (
            Published(
                "LEDITS++ (Brack et al. 2023), table 2",
                ("success (people)", "LPIPS"),
                (
                    ("Imagic, SD 1.5", "0.58", "0.57"),
                    ("LEDITS++, SD 1.5", "0.79", "0.30"),
                    ("LEDITS++, SDXL", "0.87", "0.34"),
                ),
                None,
                "no: neither network nor size of LPIPS is stated; score the authors' own pictures "
                "('LEdits++/' in TEdBench++) by --score to compare",
            ),
        ),
        "uniedit": (
            Published(
                "UniEditBench (Jiang et al. 2026), table 1, its 8B judge",
                ("structure", "alignment", "background", "naturalness", "overall"),
                (
                    ("SDEdit", "2.12", "2.78", "1.70", "1.99", "2.15"),
                    ("InstructPix2Pix", "1.74", "1.79", "1.39", "1.29", "1.55"),
                    ("PnP inversion", "3.68", "2.50", "3.17", "2.82", "3.04"),
                    ("FlowEdit", "3.79", "3.33", "3.92", "3.36", "3.60"),
                    ("DNAEdit", "4.40", "2.58", "4.41", "3.79", "3.80"),
                    ("FLUX.1 Kontext dev", "4.63", "3.71", "4.64", "4.22", "4.30"),
                    ("Qwen-Image-Edit", "4.53", "4.35", "4.18", "4.09", "4.29"),
                ),
                None,
                _JUDGED,
            ),
        ),
        "imgedit": (
            Published(
                "ImgEdit README, judged by GPT-4.1",
                ("overall", "add", "adjust", "replace", "remove", "background", "style", "action"),
                (
                    (
                        "InstructPix2Pix",
                        "1.88",
                        "2.45",
                        "1.83",
                        "2.01",
                        "1.50",
                        "1.44",
                        "3.55",
                        "1.46",
                    ),
                    ("UltraEdit", "2.70", "3.44", "2.81", "2.96", "1.45", "2.83", "3.76", "2.98"),
                    ("OmniGen2", "3.44", "3.57", "3.06", "3.74", "3.20", "3.57", "4.81", "4.68"),
                    (
                        "FLUX.1 Kontext dev",
                        "3.71",
                        "3.83",
                        "3.65",
                        "4.45",
                        "3.17",
                        "3.98",
                        "4.55",
                        "4.29",
                    ),
                ),
                None,
                _JUDGED,
            ),
        ),
        "editeval": (
            Published(
                "EditEval Leaderboard.md, judged by GPT-4V, SD 1.x",
                ("addition", "replacement", "removal", "background", "style", "texture", "action"),
                (
                    ("Imagic", "7.80", "7.22", "-", "-", "7.26", "5.57", "6.97"),
                    ("InstructPix2Pix", "6.88", "5.00", "-", "6.51", "8.21", "6.10", "-"),
                    ("LEDITS++", "6.74", "7.41", "8.65", "6.91", "6.86", "-", "-"),
                    ("null-text", "-", "8.15", "-", "7.28", "7.16", "6.82", "-"),
                ),
                None,
                "no: the judge no longer exists, and spreads of 0.4 to 2.5 on 4 to 8 items were usual",
            ),
        ),
        "gedit": (
            Published(
                "FireRed-Image-Edit docs/benchmark.md, GEdit-Bench in English",
                ("semantic consistency", "perceptual quality", "overall"),
                (
                    ("FLUX.2 dev", "7.84", "8.06", "7.41"),
                    ("Qwen-Image-Edit-2509", "7.97", "7.71", "7.48"),
                    ("LongCat-Image-Edit", "8.13", "8.18", "7.75"),
                    ("Qwen-Image-Edit-2511", "8.30", "8.20", "7.88"),
                    ("FireRed-Image-Edit", "8.36", "8.25", "7.94"),
                ),
                None,
                _JUDGED,
            ),
        ),
    }
)
"""The tables of each benchmark that has any."""
