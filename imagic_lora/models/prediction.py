"""What a user may say of a model that its files do not: what it predicts, and how it reads prompts.

It imports nothing heavy.
"""

from typing import Literal, get_args

from imagic_lora.settings import Option

PredictionName = Literal["auto", "epsilon", "v_prediction", "v_prediction_zero_snr", "sample"]

PREDICTION = Option(
    "what the denoiser predicts, for a model that does not say: auto is what its files say",
    kind=str,
    choices=get_args(PredictionName),
)

CLIP_SKIP = Option(
    "layers left out at the end of the text encoder: 1 is what other tools call clip skip 2",
    kind=int,
    low=0,
    high=11,
    unit="layers",
)
