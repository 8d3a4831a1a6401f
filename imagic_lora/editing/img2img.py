"""Plain img2img, the baseline to hold an edit against: no adapter, no embedding of its own."""

from dataclasses import replace

from imagic_lora.editing import guidance, sampling
from imagic_lora.editing.picture import Variation
from imagic_lora.images.pixels import to_images
from imagic_lora.images.png import image_hash
from imagic_lora.memory.relief import lever_names
from imagic_lora.models.base import LatentModel
from imagic_lora.models.distilled import check_negative
from imagic_lora.models.encoding import ImageSource, encode
from imagic_lora.progress import OnProgress
from imagic_lora.seeding import generator, randn
from imagic_lora.settings import NOISE, STRENGTH, SamplingSettings
from imagic_lora.texts import prompt


def img2img(
    model: LatentModel,
    image: ImageSource,
    target: str,
    *,
    strength: float,
    noise: float,
    settings: SamplingSettings,
    on_progress: OnProgress,
) -> Variation:
    """Noise a picture and denoise it under a prompt; see `ImagicEditor.img2img`."""
    STRENGTH.check("strength", strength)
    NOISE.check("noise", noise)
    check_negative(model.traits, settings.negative)
    if model.traits.base:
        settings = replace(settings, guidance=1.0)
    target = prompt(target)
    before = model.plan
    encoded = encode(model, image, settings.width, settings.height)
    latents = encoded.latents
    extra = randn(tuple(latents.shape), generator(settings.seed, "input noise"))
    latents = latents + noise * latents.std() * extra.to(latents.device)
    away, towards = model.encode_prompt(settings.negative, target).rows()
    predictor = guidance.classifier_free(model, away, towards, settings.guidance)
    start = sampling.Start(latents, strength, (settings.seed,))
    latents = sampling.sample(model, predictor, start, settings, on_progress)
    (made,) = to_images(model.decode(latents))
    return Variation(
        image=made,
        target=target,
        settings=settings,
        base_model=model.traits.name,
        fingerprint=model.traits.fingerprint,
        frame=encoded.frame,
        strength=strength,
        noise=noise,
        image_sha256=image_hash(encoded.picture),
        **lever_names(model.plan, before),
    )
