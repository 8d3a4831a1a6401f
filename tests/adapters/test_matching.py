from dataclasses import dataclass, replace

import pytest
import torch

from imagic_lora import Adapter, AdapterMismatchError, ImagicWarning
from imagic_lora.adapters.matching import check_fits
from imagic_lora.conditioning import Conditioning
from tests.support.handmade import made


@dataclass(frozen=True)
class Facts:
    """What a model is asked for, as the adapter below needs it."""

    family: str = "sdxl"
    name: str = "someone/model"
    fingerprints: tuple[str, ...] = ("fedcba9876543210", "0123456789abcdef")
    token_width: int = 32
    token_count: int = 24
    ragged: bool = False
    chunks: int = 4
    differences: bool = False
    left_out: tuple[str, ...] = ()
    pooled_width: int | None = 40
    latent_channels: int = 4
    latent_factor: int = 8


def adapter() -> Adapter:
    """Return an adapter whose shapes are those of a model."""
    conditioning = Conditioning(torch.zeros(1, 24, 32).half(), torch.zeros(1, 40).half())
    latents = torch.zeros(1, 4, 6, 8).half()
    return replace(made(family="sdxl"), conditioning=conditioning, latents=latents)


def test_an_adapter_of_the_model_is_let_through() -> None:
    """Nothing is said where all agrees, also by a fingerprint that former adapters carry."""
    check_fits(adapter(), Facts())
    check_fits(adapter(), Facts(token_count=77, ragged=True))
    check_fits(adapter(), Facts(token_count=12, chunks=2))


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (Facts(family="sd"), r"family sdxl.* but this model is 'someone/model' \(family sd,"),
        (Facts(token_width=16), "embedding width 32, and the model 16;"),
        (Facts(token_count=77), "tokens 24, and the model 77;"),
        (Facts(token_count=10), "tokens 24, and the model 20;"),
        (Facts(token_count=6, chunks=3), "tokens 24, and the model 18;"),
        (Facts(token_count=16, ragged=True), "tokens 24, and the model 16;"),
        (
            Facts(left_out=("text_encoder_3",)),
            "networks all, and the model all but 'text_encoder_3';",
        ),
        (Facts(pooled_width=None), "pooled width 40, and the model None;"),
        (Facts(pooled_width=1280), "pooled width 40, and the model 1280;"),
        (Facts(latent_channels=16), "latent channels 4, and the model 16;"),
        (Facts(latent_factor=4), r"latents \(8, 6\), and the model \(16, 12\);"),
    ],
    ids=lambda value: "" if isinstance(value, Facts) else value.partition(",")[0],
)
def test_an_adapter_of_another_model_is_refused(facts: Facts, said: str) -> None:
    """Family and every shape are compared, and both sides are named."""
    with pytest.raises(AdapterMismatchError, match=f"adapter of row 2 was fitted on .*{said}"):
        check_fits(adapter(), facts, " of row 2")


def test_another_checkpoint_works_with_a_warning() -> None:
    """The same shapes with other weights serve, less exactly."""
    with pytest.warns(ImagicWarning, match="another checkpoint, 'someone/model'"):
        check_fits(adapter(), Facts(fingerprints=("fedcba9876543210",)))
