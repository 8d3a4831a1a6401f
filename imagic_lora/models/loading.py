"""From a Hub name, a pipeline folder or one checkpoint file to a LatentModel.

Weights are only ever read from safetensors files: a pickle can run code.
"""

from dataclasses import replace
from pathlib import Path

import torch

from imagic_lora.errors import DeviceError, SettingsError
from imagic_lora.memory import MemoryPlan
from imagic_lora.models.base import LatentModel
from imagic_lora.models.prediction import CLIP_SKIP, PREDICTION, PredictionName
from imagic_lora.models.source import resolve


def load_model(
    source: str | Path,
    plan: MemoryPlan,
    *,
    config: Path | None = None,
    prediction: PredictionName = "auto",
    clip_skip: int = 0,
) -> LatentModel:
    """Load a base model, frozen, on the CPU; the plan's device is used when work begins.

    Args:
        source: "demo", the name of a known model such as "sd15", a Hub name ("owner/name"), a
            pipeline folder, or one .safetensors checkpoint.
        plan: Where the model works and in what precision.
        config: For a checkpoint file: a pipeline folder whose configuration and tokenizers are
            used, so that no network is needed; so are its weights of parts that the file lacks.
        prediction: What the denoiser predicts; "auto" is what the model says.
        clip_skip: Layers that are left out at the end of each text encoder.

    Raises:
        ModelError: When the model is missing, incomplete, of an unsupported kind, or cannot be
            fetched.
        DeviceError: When the plan's precision is one that the model overflows.
        SettingsError: When there is no such prediction, or there are no so many layers; when
            either is given for a model that follows a flow.
    """
    PREDICTION.check("prediction", prediction)
    CLIP_SKIP.check("clip_skip", clip_skip)
    found = resolve(source, config)
    if found.family.overflows and plan.dtype == torch.float16:
        raise DeviceError(
            f"The model {found.name!r} was to work in float16, which it overflows; it needs a device "
            "with bfloat16 (NVIDIA's from the RTX 30 series on), or device='cpu'."
        )
    if found.family.is_flow and (prediction != "auto" or clip_skip):
        raise SettingsError(
            f"prediction={prediction!r} and clip_skip={clip_skip} were given for the model "
            f"{found.name!r}, which follows a flow and reads prompts with more than CLIP; leave both "
            "as they are ('auto' and 0)."
        )
    pipeline = found.load(plan.dtype, prediction, clip_skip)
    model: LatentModel = found.family.load_class()(pipeline, found.name, plan)
    if clip_skip:  # prompts mean something else then, as they do to another checkpoint
        marked = tuple(f"{each}-skip{clip_skip}" for each in model.traits.fingerprints)
        model.traits = replace(model.traits, fingerprints=marked)
    return model
