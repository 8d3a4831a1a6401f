"""The baselines' own best settings.

What is best here, on the `tune` split, is what the methods have as defaults, and what the `report`
split is measured at.
"""

from collections.abc import Mapping
from typing import Any

from benchmarks.edits.methods import SLOW, Method
from benchmarks.edits.methods.full_unet import EmbeddingOnly, FullUNet
from benchmarks.edits.methods.img2img import Img2Img
from benchmarks.edits.methods.inversion import DdimInversion
from benchmarks.edits.methods.ledits import LeditsPP
from benchmarks.edits.rates import rate
from benchmarks.edits.study import Run, Study

_NEAR, _FAR = (0.25, 0.5, 0.75, 1.0, 1.25), (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
"""Strengths of the paper's procedure; the far ones where the best of the near ones was the last."""

CANDIDATES: Mapping[str, Mapping[str, Method]] = {
    "img2img": {f"guidance {g:g}": Img2Img(guidance=g) for g in (2.0, 3.0, 5.0, 7.5)},
    "ddim_inversion": {"no settings": DdimInversion()},
    "ledits_pp": {
        f"threshold {threshold:g}, skip {skip:g}": LeditsPP(threshold=threshold, skip=skip)
        for threshold, skip in ((0.6, 0.1), (0.9, 0.1), (0.9, 0.25))
    },
    "embedding_only": {
        f"embedding at {rate:g}, guidance {guidance:g}": EmbeddingOnly(
            embedding_lr=rate, guidance=guidance
        )
        for rate, guidance in ((1e-3, 3.0), (3e-3, 3.0), (1e-2, 3.0), (1e-2, 2.0), (1e-2, 5.0))
    },
    "full_unet": {
        f"denoiser at {rate:g}, embedding at {own:g}, guidance {guidance:g}, strengths to "
        f"{strengths[-1]:g}": FullUNet(
            unet_lr=rate, embedding_lr=own, guidance=guidance, strengths=strengths
        )
        for rate, own, guidance, strengths in (
            (3e-5, 1e-2, 3.0, _NEAR),
            (1e-4, 1e-2, 3.0, _NEAR),
            (3e-4, 1e-2, 3.0, _NEAR),
            (1e-4, 1e-2, 2.0, _NEAR),
            (1e-4, 1e-2, 5.0, _NEAR),
            (1e-4, 3e-3, 3.0, _NEAR),
            (1e-4, 3e-3, 3.0, _FAR),
            (1e-4, 3e-3, 5.0, _FAR),
        )
    },
}
"""The methods in each of the settings that are tried."""

METHODS = {
    f"{name}: {settings}": candidate
    for name, candidates in CANDIDATES.items()
    for settings, candidate in candidates.items()
}

_ORDER = ("perfect_fixed", "perfect_best", "perfect_auto", "psnr_ideal")


def summary(run: Run) -> dict[str, Any]:
    """Return for each method how good its candidates are, the best first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for candidate, records in run.by_method().items():
        name, settings = candidate.split(": ", 1)
        found.setdefault(name, []).append({"settings": settings, **rate(records)})
    for candidates in found.values():
        candidates.sort(key=lambda one: [one[key] for key in _ORDER], reverse=True)
    return {"methods": found}


STUDY = Study(
    name="tuning",
    result="edits_tuning",
    methods=METHODS,
    summary=summary,
    split="tune",
    slow=tuple(name for name in METHODS if name.startswith(SLOW)),
    slow_count=8,
)
