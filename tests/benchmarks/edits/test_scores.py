import numpy as np
import torch
from PIL import Image

from benchmarks.edits.portraits import make_case
from benchmarks.edits.scores import BEST_PSNR, distance, score
from benchmarks.world.judge import Judge
from benchmarks.world.portrait import ATTRIBUTES, Portrait

CASE = make_case("tune", 0)


class ReadsAs(Judge):
    """A judge that reads the same portrait off every picture."""

    def __init__(self, portrait: Portrait) -> None:
        super().__init__(width=4)
        self.portrait = portrait

    def forward(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return logits that are 1 at the portrait's values."""
        rows = zip(ATTRIBUTES.items(), self.portrait.labels(), strict=True)
        return {
            name: torch.eye(len(values))[label].expand(len(pictures), -1)
            for (name, values), label in rows
        }


def test_the_ideal_edit_is_perfect() -> None:
    """The drawing of the ideal edit scores the most there is."""
    found = score(ReadsAs(CASE.after), CASE, CASE.ideal)

    assert (True, 1.0, True, ()) == (found.edited, found.kept, found.perfect, found.lost)
    assert (BEST_PSNR, BEST_PSNR) == (found.psnr_ideal, found.psnr_outside)


def test_the_input_is_kept_but_not_edited() -> None:
    """Giving the input back keeps all and edits nothing."""
    found = score(ReadsAs(CASE.before), CASE, CASE.image)

    assert (False, 1.0, False) == (found.edited, found.kept, found.perfect)
    assert BEST_PSNR == found.psnr_outside
    assert found.psnr_ideal < BEST_PSNR


def test_what_is_lost_is_named() -> None:
    """An edit that changes another attribute too is not perfect, and says which."""
    background = next(v for v in ATTRIBUTES["background"] if v != CASE.after.background)

    found = score(ReadsAs(CASE.after.replace(background=background)), CASE, CASE.ideal)

    assert (True, 0.9, False) == (found.edited, found.kept, found.perfect)
    assert ("background",) == found.lost


def test_only_what_should_stay_counts_outside() -> None:
    """A spot counts outside the region of the edit, and does not count inside it."""
    before, ideal = (np.array(p, int) for p in (CASE.image, CASE.ideal))
    inside = np.abs(before - ideal).max(axis=2) > 40
    for spots, hurt in ((inside, False), (~inside & (before.max(axis=2) > 100), True)):
        spotted = ideal.copy()
        spotted[spots] = 0
        picture = Image.fromarray(spotted.astype(np.uint8))

        assert hurt == (score(ReadsAs(CASE.after), CASE, picture).psnr_outside < BEST_PSNR)


def test_distance_grows_with_the_difference_to_see() -> None:
    """Equal pictures are at no distance; another shape is further away than another light."""
    judge, picture = Judge().eval(), CASE.image
    lighter = Image.fromarray((np.array(picture) * 0.97).astype(np.uint8))
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)

    near, far = (distance(judge, picture, one) for one in (lighter, Image.fromarray(noise)))

    assert 0 == distance(judge, picture, picture)
    assert 0 < near < far / 4
