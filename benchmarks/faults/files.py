"""Mutated adapters, headers of any values, LoRA files of other tools, and pictures."""

import io
from functools import partial
from random import Random
from tempfile import NamedTemporaryFile
from typing import Any

import hypothesis
from hypothesis import strategies as st
from PIL import Image

from benchmarks.faults.grammar import JSON
from benchmarks.faults.hostile import damaged, rewritten
from benchmarks.faults.stage import QUICK, Stage, fingerprint
from benchmarks.faults.tally import Tally
from imagic_lora import Adapter
from imagic_lora.adapters.adopting import read_lora
from imagic_lora.images.png import read_record
from imagic_lora.images.reading import open_image, open_mask
from tests.support.rewriting import rewrite

_SPARE = 50_000_000
"""Bytes that a load may take beside twice its file."""

_OF_A_PICTURE = 600_000_000
_EDITED = 12
"""Adapters that load of which every so many is used for an edit: all would take hours."""

_PICTURES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    *(("PNG", mode, {}) for mode in ("RGB", "RGBA", "L", "LA", "P", "1", "I;16")),
    *(("JPEG", mode, {}) for mode in ("RGB", "L", "CMYK")),
    ("JPEG", "RGB", {"progressive": True}),
    ("WEBP", "RGB", {}),
    ("WEBP", "RGBA", {"lossless": True}),
    ("GIF", "P", {}),
    ("BMP", "RGB", {}),
    *(
        ("TIFF", mode, {"compression": how})
        for mode, how in (("RGB", "tiff_lzw"), ("RGBA", "tiff_adobe_deflate"), ("RGB", "jpeg"))
    ),
    ("AVIF", "RGB", {}),
    ("JPEG2000", "RGB", {}),
    ("PPM", "RGB", {}),
)


def adapters(stage: Stage, seed: int, count: int) -> Tally:
    """Load mutated adapters; of what loads, make bytes, load again, and edit with some."""
    random, tally, sound = Random(seed), Tally(), stage.adapter.to_bytes()
    base = fingerprint(stage.editor)
    for number in range(count):
        if random.random() < 0.3:
            kind, data = "damaged", damaged(sound, random)
        else:
            kind, data = rewritten(sound, random)
        label = f"adapter {seed}/{number} {kind}"
        found = tally.attempt(label, partial(Adapter.from_bytes, data), 2 * len(data) + _SPARE)
        if found is None:
            continue
        again = tally.attempt(f"{label}, again", partial(_again, found))
        if again != found:
            tally.fault(f"{label}: is not itself when it is saved and loaded")
        if number % _EDITED == 0:
            tally.attempt(f"{label}, edit", partial(stage.editor.edit, found, settings=QUICK))
    if fingerprint(stage.editor) != base:
        tally.fault(f"adapter {seed}: the base model is another")
    return tally


def _again(adapter: Adapter) -> Adapter:
    """Return an adapter as it comes back from its own bytes."""
    return Adapter.from_bytes(adapter.to_bytes())


def headers(stage: Stage, seed: int, count: int) -> Tally:
    """Read adapters in whose records one field is any value that JSON allows, by a grammar."""
    tally, sound = Tally(), stage.adapter.to_bytes()

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(st.sampled_from(sorted(stage.adapter.record.values())), JSON)
    def each(field: str, value: Any) -> None:
        data = rewrite(sound, lambda own: own.update({field: value}))
        label = f"header {seed}, {field}: {value!r:.60}"
        found = tally.attempt(label, partial(Adapter.from_bytes, data), 2 * len(data) + _SPARE)
        if found is not None and _again(found) != found:
            tally.fault(f"{label}: is not itself when it is saved and loaded")

    each()
    return tally


def foreign(stage: Stage, seed: int, count: int) -> Tally:
    """Read mutated LoRA files of another tool."""
    random, tally = Random(seed), Tally()
    layers = dict(stage.editor.model.denoiser.named_modules())
    paths = [path for path, layer in layers.items() if hasattr(layer, "weight")]
    for number in range(count):
        if random.random() < 0.2:
            kind, data = "damaged", damaged(stage.lora, random)
        else:
            kind, data = rewritten(stage.lora, random, own="")
        label = f"LoRA {seed}/{number} {kind}"
        most = 2 * len(data) + _SPARE
        found = tally.attempt(label, partial(read_lora, data, paths), most)
        if found is not None:
            tally.attempt(f"{label}, fit", partial(found.check_fit, layers))
    return tally


def pictures(stage: Stage, seed: int, count: int) -> Tally:
    """Open mutated pictures of every format, as pictures, as masks and for their records."""
    del stage
    random, tally = Random(seed), Tally()
    sound = [_picture(name, mode, options) for name, mode, options in _PICTURES]
    for number in range(count):
        at = random.randrange(len(sound))
        data = damaged(sound[at], random)
        label = f"picture {seed}/{number} {_PICTURES[at][0]} {_PICTURES[at][1]}"
        tally.attempt(label, partial(_opened, data), _OF_A_PICTURE)
    return tally


def _opened(data: bytes) -> object:
    """Open the content of a file in every way."""
    with NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        read_record(file.name)
        open_mask(file.name)
        return open_image(file.name)


def _picture(name: str, mode: str, options: dict[str, Any]) -> bytes:
    """Return a small sound picture of a format."""
    noise = Image.effect_noise((40, 32), 60)
    image = noise.convert(mode) if mode != "I;16" else noise.convert("I").convert("I;16")
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()
