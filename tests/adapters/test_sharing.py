from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from imagic_lora import Adapter
from imagic_lora.images.png import to_png
from tests.support.handmade import made
from tests.support.standin import READER, WRITER, Hub, ask, serving
from tests.support.tiny import Kind

NAME = "someone/girl"
PUSH = "Adapter.load({file!r}).push_to_hub({name!r})"


@pytest.fixture
def hub() -> Iterator[Hub]:
    """Give a Hub of our own, empty."""
    with serving() as served:
        yield served


@pytest.fixture
def saved(tmp_path: Path) -> str:
    """Give the file of a handmade adapter."""
    made().save(tmp_path / "girl.safetensors")
    return str(tmp_path / "girl.safetensors")


def test_an_adapter_comes_back_from_the_hub(hub: Hub, saved: str, tmp_path: Path) -> None:
    """What is pushed is private, has a card, and is read again by its name alone."""
    pictures = "{'alpha 0.9': __import__('PIL.Image').Image.new('RGB', (8, 8))}"
    load = f"Adapter.load({saved!r})"
    pushed, again, forced, back, *refused = ask(
        hub.address,
        tmp_path,
        [
            f"{load}.push_to_hub({NAME!r}, licence='cc-by-4.0', pictures={pictures})",
            f"{load}.push_to_hub({NAME!r})",
            f"{load}.push_to_hub({NAME!r}, force=True)",
            f"Adapter.from_hub({NAME!r}) == {load}",
            f"Adapter.from_hub({NAME!r}, file='other.safetensors')",
            "Adapter.from_hub('someone/nothing')",
            "Adapter.from_hub('not a name')",
            f"{load}.push_to_hub('someone/else', licence='nonsense')",
        ],
        token=WRITER,
    )

    assert ["", f"{hub.address}/{NAME}"] == pushed
    assert hub.private[NAME]
    files = hub.repositories[NAME]
    assert made() == Adapter.from_bytes(files["adapter.safetensors"])
    assert to_png(Image.new("RGB", (8, 8))) == files["picture-1.png"]
    assert "HubError" == again[0]
    assert "exists already; pass force=True" in again[1]
    assert ["", pushed[1]] == forced
    assert ["", "True"] == back
    parts = (
        "no such file",
        "no repository 'someone/nothing'",
        "'not a name' is no name",
        '"license" must be one of',
    )
    for error, part in zip(refused, parts, strict=True):
        assert ["HubError", True] == [error[0], part in error[1]], error


def test_nothing_is_written_by_those_who_may_not(hub: Hub, saved: str, tmp_path: Path) -> None:
    """Without a log-in, or with one that may only read, one sentence says what to do."""
    push = [PUSH.format(file=saved, name=NAME)]

    (nobody,) = ask(hub.address, tmp_path, push)
    (reader,) = ask(hub.address, tmp_path, push, token=READER)

    assert "HubError" == nobody[0] == reader[0]
    assert "nobody is logged in; log in with 'hf auth login'" in nobody[1]
    assert "does not let you write" in reader[1]
    assert {} == hub.repositories


def test_a_push_that_was_refused_can_be_made_again(hub: Hub, saved: str, tmp_path: Path) -> None:
    """The repository was made by then; the sentence says so, and what to do."""
    push = f"Adapter.load({saved!r}).push_to_hub({NAME!r}, licence={{!r}}, force={{}})"

    refused, again = ask(
        hub.address,
        tmp_path,
        [push.format("nonsense", False), push.format("mit", True)],
        token=WRITER,
    )

    assert "HubError" == refused[0]
    assert refused[1].endswith("without this adapter; push again with force=True.")
    assert "" == again[0]
    assert made() == Adapter.from_bytes(hub.repositories[NAME]["adapter.safetensors"])


def test_what_was_read_before_is_there_offline(hub: Hub, tmp_path: Path) -> None:
    """The cache serves without the Hub; what it lacks is said to be out of reach."""
    hub.repositories[NAME] = {"adapter.safetensors": made().to_bytes()}
    read = f"Adapter.from_hub({NAME!r}).sha256"

    online = ask(hub.address, tmp_path, [read])
    offline = ask(hub.address, tmp_path, [read, "Adapter.from_hub('a/b')"], offline=True)
    hub.shutdown()
    hub.server_close()
    gone = ask(hub.address, tmp_path, [read, "Adapter.from_hub('a/b')"])

    assert [["", made().sha256]] == online == offline[:1] == gone[:1]
    for error in (offline[1], gone[1]):
        assert "HubError" == error[0]
        assert "cannot be reached for 'a/b'" in error[1]


def test_nothing_is_pushed_where_the_hub_is_out_of_reach(saved: str, tmp_path: Path) -> None:
    """Neither offline nor to a Hub that does not answer; both are one sentence."""
    with serving() as hub:
        address = hub.address
    push = [PUSH.format(file=saved, name=NAME)]

    errors = [
        *ask(address, tmp_path, push, token=WRITER, offline=True),
        *ask(address, tmp_path, push, token=WRITER),
    ]

    for error in errors:
        assert ["HubError", True] == [error[0], "cannot be reached" in error[1]], error


@pytest.mark.early
def test_a_base_model_comes_from_the_hub(
    hub: Hub, folder: Callable[[Kind], Path], tmp_path: Path
) -> None:
    """A Hub name loads the pipeline, keeps its name, and needs no network the second time."""
    whole = folder("sd1")
    hub.repositories["someone/tiny"] = {
        str(path.relative_to(whole)): path.read_bytes()
        for path in whole.rglob("*")
        if path.is_file()
    }
    load = "ImagicEditor.from_pretrained('someone/tiny').model.traits"

    online = ask(hub.address, tmp_path, [load, "ImagicEditor.from_pretrained('someone/no')"])
    offline = ask(hub.address, tmp_path, [load], offline=True)

    assert "" == online[0][0], online
    assert "name='someone/tiny'" in online[0][1]
    assert "ModelError" == online[1][0]
    assert "no repository 'someone/no'" in online[1][1]
    assert online[:1] == offline
