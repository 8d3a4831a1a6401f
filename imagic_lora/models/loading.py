"""From a Hub name, a pipeline folder or one checkpoint file to a LatentModel.

Weights are only ever read from safetensors files: a pickle can run code.
"""

from dataclasses import replace
from pathlib import Path

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
        SettingsError: When there is no such prediction, or there are no so many layers.
    """
    PREDICTION.check("prediction", prediction)
    CLIP_SKIP.check("clip_skip", clip_skip)
    found = resolve(source, config)
    pipeline = found.load(plan.dtype, prediction, clip_skip)
    model: LatentModel = found.family.load_class()(pipeline, found.name, plan)
    if clip_skip:  # prompts mean something else then, as they do to another checkpoint
        marked = tuple(f"{each}-skip{clip_skip}" for each in model.traits.fingerprints)
        model.traits = replace(model.traits, fingerprints=marked)
    return model
