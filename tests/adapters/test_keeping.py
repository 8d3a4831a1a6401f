import os
from collections.abc import Callable
from pathlib import Path

import pytest

from imagic_lora import Adapter, OutputError
from imagic_lora.adapters.keeping import keep
from tests.support.handmade import made


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a home folder, with another one for temporary files."""
    for name in ("home", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "temporary"))
    return tmp_path / "home"


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Give a function that makes the disk of a folder full."""
    save = Adapter.save

    def fill(folder: Path) -> None:
        def saved(self: Adapter, path: Path, *, force: bool = False) -> None:
            if path.parent == folder:
                raise OutputError(f"cannot write '{path}': no space left on device.")
            save(self, path, force=force)

        monkeypatch.setattr(Adapter, "save", saved)

    return fill


def _taken(out: Path) -> None:
    out.write_bytes(b"mine")


def _became_a_folder(out: Path) -> None:
    out.mkdir()


@pytest.mark.parametrize("befall", [_taken, _became_a_folder])
def test_a_name_that_was_taken_meanwhile_costs_nothing(
    tmp_path: Path, befall: Callable[[Path], None]
) -> None:
    """What a fit learned goes beside the output under a free name, which is said."""
    out = tmp_path / "cat.safetensors"
    _taken(tmp_path / "cat-2.safetensors")
    befall(out)

    with pytest.raises(
        OutputError, match=r"What was learned is in .*cat-3\.safetensors instead\.$"
    ):
        keep(made(), out, force=False)

    assert made() == Adapter.load(tmp_path / "cat-3.safetensors")
    assert b"mine" == (tmp_path / "cat-2.safetensors").read_bytes()


def test_a_full_disk_costs_nothing(
    tmp_path: Path, home: Path, full: Callable[[Path], None]
) -> None:
    """What a fit learned goes to the home folder where the disk of the output is full."""
    (tmp_path / "out").mkdir()
    full(tmp_path / "out")

    with pytest.raises(OutputError, match=r"no space left.*learned is in .*home/cat"):
        keep(made(), tmp_path / "out" / "cat.safetensors", force=False)

    assert made() == Adapter.load(home / "cat-2.safetensors")


def test_without_a_home_there_is_a_folder_for_temporary_files(tmp_path: Path, home: Path) -> None:
    """A folder that became a file, and a home that is gone, still cost nothing."""
    (tmp_path / "out").write_bytes(b"")
    home.rmdir()
    home.write_bytes(b"")

    with pytest.raises(OutputError, match="instead"):
        keep(made(), tmp_path / "out" / "cat.safetensors", force=False)

    assert made() == Adapter.load(tmp_path / "temporary" / "cat-2.safetensors")


@pytest.mark.parametrize("stem", ["x" * 243, "é" * 121])
def test_a_long_name_is_shortened(tmp_path: Path, stem: str) -> None:
    """The name beside the output keeps within what file systems allow."""
    out = tmp_path / f"{stem}.safetensors"
    out.write_bytes(b"mine")

    with pytest.raises(OutputError, match="instead"):
        keep(made(), out, force=False)

    (kept,) = set(tmp_path.iterdir()) - {out}
    assert 255 >= len(os.fsencode(kept.name))
    assert made() == Adapter.load(kept)
