"""Sharing an adapter on the Hub: its file, a card that says what it is, and pictures for the card."""

from collections.abc import Mapping

from PIL import Image

from imagic_lora import hub
from imagic_lora.adapters.adapter import HUB_FILE, Adapter
from imagic_lora.adapters.card import write_card
from imagic_lora.images.png import to_png


def push(
    adapter: Adapter,
    repository: str,
    *,
    pictures: Mapping[str, Image.Image],
    licence: str,
    private: bool,
    force: bool,
    token: str | None,
) -> str:
    """Put an adapter into a repository of the Hub; `Adapter.push_to_hub` says what is what.

    Returns:
        The address of the repository.

    Raises:
        HubError: When it exists already, may not be written to, or the Hub cannot be reached.
    """
    data = adapter.to_bytes()
    captions = {f"picture-{n}.png": caption for n, caption in enumerate(pictures, start=1)}
    card = write_card(
        repository,
        HUB_FILE,
        adapter.record,
        facts={"rank": str(adapter.rank), "size": f"{len(data) / 1e6:.1f} MB"},
        pictures=captions,
        licence=licence,
    )
    files = {HUB_FILE: data, "README.md": card.encode()}
    files |= {path: to_png(pictures[caption]) for path, caption in captions.items()}
    return hub.upload(repository, files, private=private, force=force, token=token)
