"""What the Hub or the disk said is what we say."""

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from huggingface_hub import errors
from safetensors.torch import save_file

from imagic_lora import HubError, ModelError, hub
from imagic_lora.errors import heard_by
from imagic_lora.memory import MemoryPlan
from imagic_lora.models import repository
from imagic_lora.models.loading import load_model
from tests.support.layouts import with_text_encoders
from tests.support.tiny import Kind, build

NAME = "someone/some-model"


def answer(kind: Any, status: int) -> Exception:
    """Return the error of an answer of the Hub."""
    error: Exception = kind("many\nlines of\nadvice", response=Mock(status_code=status, headers={}))
    return error


ANSWERS: dict[str, tuple[Exception, str]] = {
    "401": (answer(errors.RepositoryNotFoundError, 401), "no repository .* that you may read"),
    "gated": (
        answer(errors.GatedRepoError, 403),
        rf"accept them at https://huggingface.co/{NAME}, and log in",
    ),
    "403": (answer(errors.HfHubHTTPError, 403), r"does not let you read .*\(403\); log in"),
    "404": (answer(errors.RepositoryNotFoundError, 404), "no repository"),
    "429": (answer(errors.HfHubHTTPError, 429), r"asked too often.*\(429\); wait"),
    "503": (answer(errors.HfHubHTTPError, 503), "out of order and answered 503.*try again later"),
    "offline": (errors.OfflineModeIsEnabled("x"), "cannot be reached.*HF_HUB_OFFLINE"),
    "full": (OSError(errno.ENOSPC, "No space left"), "the disk is full.*HF_HOME"),
    "read-only": (OSError(errno.EROFS, "Read-only"), "the disk is read-only"),
    "no leave": (PermissionError(errno.EACCES, "denied"), "cache may not be written to"),
}


@pytest.mark.parametrize("how", ["open", "behind a missing cache"])
@pytest.mark.parametrize("case", ANSWERS)
def test_what_went_wrong_is_what_is_said(
    case: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each trouble has one sentence of its own, also where the library reports a missing cache."""
    error, said = ANSWERS[case]

    def fails(*_: Any, **__: Any) -> None:
        if how != "open":
            raise errors.LocalEntryNotFoundError("not in the cache\nat all") from error
        raise error

    monkeypatch.setattr(hub, "snapshot_download", fails)

    with pytest.raises(HubError, match=said) as caught:
        hub.fetch_snapshot(NAME, ["*.json"])

    assert "\n" not in str(caught.value)


@pytest.fixture
def served(
    monkeypatch: pytest.MonkeyPatch, folder: Callable[[Kind], Path]
) -> Callable[..., list[list[str]]]:
    """Give a Hub with one repository and a cache; it returns what was fetched, each time."""

    def serve(cache: Path, kind: Kind = "sd1", index: Path | None = None) -> list[list[str]]:
        origin, fetched = folder(kind), list[list[str]]()
        files = {p.relative_to(origin).as_posix(): p for p in origin.rglob("*") if p.is_file()}
        offered = {**files, "model_index.json": index or files["model_index.json"]}
        for name, path in files.items():
            if name.endswith(".safetensors") and not name.startswith("vae"):
                offered[name.replace(".safetensors", ".fp16.safetensors")] = path

        def fetch(_: str, patterns: list[str]) -> Path:
            fetched.append([name for name in patterns if not (cache / name).exists()])
            for name in patterns:
                (cache / name).parent.mkdir(parents=True, exist_ok=True)
                (cache / name).write_bytes(offered[name].read_bytes())
            return cache

        sizes = {name: path.stat().st_size for name, path in offered.items()}
        monkeypatch.setattr(repository, "fetch_snapshot", fetch)
        monkeypatch.setattr(repository, "listing", lambda _: sizes)
        return fetched

    return serve


def test_half_precision_is_fetched_where_it_is_offered(
    served: Callable[[Path], list[list[str]]], tmp_path: Path
) -> None:
    """Each part in its best form, its size said before; and nothing is fetched twice."""
    fetched, said = served(tmp_path), list[str]()

    with heard_by(said.append):
        load_model(NAME, MemoryPlan.automatic("cpu"))
        load_model(NAME, MemoryPlan.automatic("cpu"))

    weights = [name for name in fetched[1] if name.endswith(".safetensors")]
    assert {
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "text_encoder/model.fp16.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
    } == set(weights)
    assert [] == fetched[2]
    assert 1 == len(said)
    assert "GB of the model 'someone/some-model' are fetched" in said[0]


def test_what_a_model_is_made_without_is_not_fetched(
    served: Callable[..., list[list[str]]], folder: Callable[[Kind], Path], tmp_path: Path
) -> None:
    """Nine gigabytes lie there that the index passes over."""
    index = json.loads((folder("sd3") / "model_index.json").read_text())
    index |= {"text_encoder_3": [None, None], "tokenizer_3": [None, None]}
    (tmp_path / "index.json").write_text(json.dumps(index))
    fetched = served(tmp_path / "cache", "sd3", tmp_path / "index.json")

    with heard_by(lambda _: None):
        model = load_model(NAME, MemoryPlan.automatic("cpu"))

    assert model.traits.left_out == ("text_encoder_3",)
    weights = {name for names in fetched for name in names if name.endswith(".safetensors")}
    assert {"transformer", "vae", "text_encoder", "text_encoder_2"} == {
        name.partition("/")[0] for name in weights
    }


def test_a_file_with_clips_alone_fetches_no_weights(
    served: Callable[..., list[list[str]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Configurations and tokenizers are lent by the repository, and T5 is not asked for."""
    fetched = served(tmp_path / "cache", "sd3")
    monkeypatch.setattr(repository, "known_name", lambda _: "sd35m")
    save_file(with_text_encoders(build("sd3"), long=False), tmp_path / "x.safetensors")

    with heard_by(lambda _: None):
        model = load_model(tmp_path / "x.safetensors", MemoryPlan.automatic("cpu"))

    assert model.traits.left_out == ("text_encoder_3",)
    assert not any(name.endswith(".safetensors") for names in fetched for name in names)


def test_a_form_that_is_in_the_cache_serves(
    served: Callable[[Path], list[list[str]]],
    folder: Callable[[Kind], Path],
    tmp_path: Path,
) -> None:
    """What another tool fetched in full precision is not fetched again in half."""
    for file in folder("sd1").rglob("*.safetensors"):
        copy = tmp_path / file.relative_to(folder("sd1"))
        copy.parent.mkdir(parents=True)
        copy.write_bytes(file.read_bytes())
    fetched = served(tmp_path)

    with heard_by(lambda _: None):
        load_model(NAME, MemoryPlan.automatic("cpu"))

    assert not any(name.endswith(".safetensors") for names in fetched for name in names)


def test_a_checkpoint_alone_says_where_its_rest_would_come_from(tmp_path: Path) -> None:
    """Offline, a file of the width of a known model names its repository, the trouble and a way."""
    prefix = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
    save_file({prefix: torch.zeros(2, 768)}, tmp_path / "x.safetensors")

    with pytest.raises(
        ModelError, match=r"no vae, text_encoder .*'stable-diffusion-v1-5/.*config="
    ):
        load_model(tmp_path / "x.safetensors", MemoryPlan.automatic("cpu"))
