"""The page that the Hub shows for an adapter: what it is, what it needs and how to use it."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict

from imagic_lora.adapters.record import FitRecord
from imagic_lora.hub import card_header

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_UNSAFE = re.compile(r"[`\r\n]+")


def write_card(
    repository: str,
    file: str,
    record: FitRecord,
    *,
    facts: Mapping[str, str],
    pictures: Mapping[str, str],
    licence: str,
) -> str:
    """Return the card as Markdown, with the header that the Hub sorts by.

    Args:
        repository: Name of the repository.
        file: Name of the adapter's file in it.
        record: What was fitted and how.
        facts: More to say of the adapter, by name.
        pictures: Captions of pictures by their paths in the repository.
        licence: The Hub's word for a licence, or "" to leave it open.
    """
    sections = [
        _header(record, licence),
        f"# {_code(record.target or record.source)}",
        _introduction(record.base_model),
        *(f"![{_plain(text)}]({path})\n\n{_plain(text)}" for path, text in pictures.items()),
        f"## Use\n\n```python\n{_example(repository, record)}```",
        _for_other_tools(file, record.caption),
        f"## What it is\n\n{_table({**_facts(record), **facts})}",
        f"## Licence\n\n{_licence_note(licence)}",
    ]
    return "\n\n".join(sections) + "\n"


def _header(record: FitRecord, licence: str) -> str:
    """Return the header of the card."""
    on_hub = _HUB_NAME.fullmatch(record.base_model) is not None
    return card_header(
        library_name="imagic-lora",
        tags=["lora", "imagic", "image-to-image", "text-to-image"],
        base_model=record.base_model if on_hub else None,
        base_model_relation="adapter" if on_hub else None,
        license=licence or None,
        instance_prompt=record.caption,
    )


def _introduction(base_model: str) -> str:
    return (
        f"One picture, learned by imagic_lora as a small adapter for {_code(base_model)}: its text "
        "embedding and a LoRA. It can be edited by text, at any strength."
    )


def _for_other_tools(file: str, caption: str) -> str:
    return (
        f"diffusers reads the LoRA of `{file}` without the embedding, and `imagic-lora export` "
        f"writes it for ComfyUI and its kin; the prompt {_code(caption)} recalls the picture there."
    )


def _example(repository: str, record: FitRecord) -> str:
    target = record.target or f"{record.source}, smiling"
    return (
        "from imagic_lora import Adapter, ImagicEditor\n\n"
        f"editor = ImagicEditor.from_pretrained({_text(record.base_model)})\n"
        f"adapter = Adapter.from_hub({_text(repository)})\n"
        f"editor.edit(adapter, target={_text(target)}, alpha=0.9).save('edited.png')\n"
    )


def _facts(record: FitRecord) -> dict[str, str]:
    settings = {} if record.settings is None else asdict(record.settings)
    gap = "" if record.gap is None else f"{record.gap:.0%} of what it was before"
    facts = {
        "caption": _code(record.source) if record.source else "",
        "target": _code(record.target) if record.target else "",
        "base model": f"{_code(record.base_model)}, family {_code(record.family)}",
        "canvas": f"{record.width} x {record.height} pixels",
        "loss after the fit": gap,
        "settings of the fit": ", ".join(
            f"{name} {_code(str(value))}" for name, value in settings.items() if value is not None
        ),
        "made with": ", ".join(f"{name} {version}" for name, version in record.versions.items()),
    }
    return {name: value for name, value in facts.items() if value}


def _licence_note(licence: str) -> str:
    own = f"The adapter is shared under `{licence}`." if licence else "None was chosen."
    return (
        f"{own} What the base model's licence allows and forbids holds for pictures made with it. "
        "The file can give back the picture that it was fitted on, and whoever is in it."
    )


def _table(facts: Mapping[str, str]) -> str:
    rows = [f"| {name} | {value.replace('|', chr(92) + '|')} |" for name, value in facts.items()]
    return "\n".join(["| | |", "| --- | --- |", *rows])


def _text(value: str) -> str:
    """Return a text in quotes, as Python reads it."""
    return json.dumps(value, ensure_ascii=False)


def _code(text: str) -> str:
    """Return a text as inline code, in which nothing is markup."""
    return f"`{_UNSAFE.sub(' ', text)}`"


def _plain(text: str) -> str:
    """Return a caption without what Markdown or HTML would read as markup."""
    return re.sub(r"[^\w\s.,:;'+-]", "", _UNSAFE.sub(" ", text))
