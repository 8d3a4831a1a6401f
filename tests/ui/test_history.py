import io
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from imagic_lora import EditSettings, ImageError, OutputError
from imagic_lora.editing.picture import Edit
from imagic_lora.images.reading import open_image
from imagic_lora.ui import history as module
from imagic_lora.ui.history import History
from imagic_lora.ui.jobs.edit import Sweep, SweepState
from imagic_lora.ui.jobs.pictures import PictureFolder

PICTURE, OTHER = "a" * 64, "b" * 64
ALPHAS, SEEDS = (0.0, 0.5, 1.0), (4, 2)
SETTINGS = EditSettings(seed=4, steps=3, guidance=2.0)


def edit(alpha: float, seed: int) -> Edit:
    """Return an edit of one colour, which tells it apart."""
    return Edit(
        image=Image.new("RGB", (16, 16), (int(200 * alpha), seed, 0)),
        target="a fox",
        settings=replace(SETTINGS, seed=seed),
        base_model="tiny",
        fingerprint="f",
        alpha=alpha,
        adapter_sha256="c" * 64,
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SweepState:
    """Give a run that is over."""
    folder = PictureFolder(tmp_path_factory.mktemp("session"))
    sweep = Sweep(target="a fox", alphas=ALPHAS, seeds=SEEDS, settings=SETTINGS)
    saved = tuple(folder.save_edit(edit(alpha, seed)) for seed in SEEDS for alpha in ALPHAS)
    first = Image.new("RGB", (16, 16), "teal")
    sheet = folder.save_sheet(saved, first)
    before = folder.save_input(first)
    return SweepState(sweep, made=saved, before=before, files=(sheet, sheet))


@pytest.fixture
def history(tmp_path: Path) -> History:
    """Give a history without any run."""
    return History(tmp_path / "history", tmp_path / "drawings")


def files(tmp_path: Path) -> list[Path]:
    """Return the files of the history, oldest first."""
    return sorted((tmp_path / "history").iterdir(), key=lambda path: path.stem[16:])


def test_a_run_comes_back_as_it_was(history: History, made: SweepState, tmp_path: Path) -> None:
    """Words, settings, strengths, seeds and every pixel outlive whoever made them."""
    history.keep(PICTURE, made)
    (run,) = History(tmp_path / "history", tmp_path / "elsewhere").look().runs
    again = history.open(run, tmp_path / "other session")

    assert made.sweep == again.sweep
    assert [each.picture.record() for each in made.made] == [
        each.picture.record() for each in again.made
    ]
    pixels = [[open_image(each.path).tobytes() for each in state.made] for state in (made, again)]
    assert pixels[0] == pixels[1]
    assert again.before is not None
    assert open_image(again.before).getpixel((0, 0)) == (0, 128, 128)
    assert all(path.is_file() for path in again.files)


def test_runs_are_told_apart_by_their_picture(history: History, made: SweepState) -> None:
    """Who edits a picture finds the runs of that picture, newest first; any text is a hash."""
    for sha256 in (PICTURE, OTHER, "../../x", PICTURE):
        history.keep(sha256, made)
    runs = history.look().runs

    assert sorted((run.when for run in runs), reverse=True) == [run.when for run in runs]
    assert [2, 1, 1] == [sum(run.is_of(h) for run in runs) for h in (PICTURE, OTHER, "../../x")]


def test_what_is_deleted_is_gone(history: History, made: SweepState, tmp_path: Path) -> None:
    """A run that was deleted is neither listed nor there, and cannot be opened."""
    history.keep(PICTURE, made)
    (run,) = history.look().runs
    history.delete(run.name)

    assert () == history.look().runs
    assert [] == files(tmp_path)
    for touch in (
        lambda: history.look().find(run.name),
        lambda: history.delete(run.name),
        lambda: history.open(run, tmp_path),
    ):
        with pytest.raises(ImageError, match="not here any more"):
            touch()


def test_the_oldest_go_where_there_are_too_many(
    history: History, made: SweepState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A history is bounded in number and size, and what lies beside it is left alone."""
    monkeypatch.setattr(module, "MOST_RUNS", 2)
    history.keep(PICTURE, made)
    (tmp_path / "history" / "mine.zip").write_bytes(b"x")
    for _ in range(3):
        history.keep(PICTURE, made)
    assert 2 == len(history.look().runs)

    size = files(tmp_path)[-1].stat().st_size
    monkeypatch.setattr(module, "MOST_BYTES", int(1.5 * size))
    history.keep(PICTURE, made)
    assert 1 == len(history.look().runs)
    assert (tmp_path / "history" / "mine.zip").is_file()


def packed(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """Return the content of an archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x" * 400,
        packed({}),
        packed({"../../out.png": b"x"}),
        packed({"page.html": b"<script>"}),
        packed({"sheet.png": b"x" * 1_000_000}, zipfile.ZIP_DEFLATED),
        packed({f"{number}.png": b"x" for number in range(101)}),
        packed({"sheet.png": b"no picture", "small.jpg": b"no picture"}),
    ],
    ids=["empty", "junk", "nothing", "path", "page", "bomb", "many", "no pictures"],
)
def test_one_bad_file_never_hides_the_others(
    content: bytes, history: History, made: SweepState, tmp_path: Path
) -> None:
    """What cannot be used is named with why; nothing of it lands anywhere else."""
    history.keep(PICTURE, made)
    (run,) = history.look().runs
    bad = tmp_path / "history" / f"{'0' * 16}-20260101-000000-000000.zip"
    bad.write_bytes(content)

    assert (run,) == history.look().runs
    assert [bad.stem] == list(history.look().unreadable)
    assert not list(tmp_path.rglob("out.png"))
    assert not list(tmp_path.rglob("*.html"))


def test_a_run_that_cannot_be_kept_names_its_file_alone(
    history: History, made: SweepState, tmp_path: Path
) -> None:
    """Visitors are not told where the server's folders are."""
    (tmp_path / "history").write_bytes(b"in the way")

    with pytest.raises(OutputError, match=r"\.zip") as caught:
        history.keep(PICTURE, made)
    assert str(tmp_path) not in str(caught.value)
