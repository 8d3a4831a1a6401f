"""Files on the Hugging Face Hub, and its failures as sentences; knows nothing of what they hold."""

import errno
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import (
    CommitOperationAdd,
    HfApi,
    ModelCardData,
    get_token,
    hf_hub_download,
    scan_cache_dir,
    snapshot_download,
    try_to_load_from_cache,
)
from huggingface_hub.constants import ENDPOINT
from huggingface_hub.errors import (  # type: ignore[attr-defined]  # HTTPError is imported there
    CacheNotFound,
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from imagic_lora.errors import HubError, quoted

_OF_DISKS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your share of the disk is used up",
    errno.EACCES: "the folder of the cache may not be written to",
    errno.EPERM: "the folder of the cache may not be written to",
    errno.EROFS: "the disk is read-only",
}
_LOG_IN = "log in with 'hf auth login', or pass a token with access to it"


def upload(
    repository: str,
    files: Mapping[str, bytes],
    *,
    private: bool,
    force: bool,
    token: str | None,
) -> str:
    """Put files into a repository of the Hub, in one commit, and return its address.

    Args:
        repository: Its name, "owner/name".
        files: Contents by path.
        private: Whether a repository that is made may be read by its owner alone.
        force: Whether a repository that exists may be written to.
        token: An access token; default: that of the log-in.

    Raises:
        HubError: When it exists already, may not be written to, or the Hub cannot be reached.
    """
    if not (token or get_token()):
        raise HubError(
            f"'{repository}' cannot be written to, since nobody is logged in; {_LOG_IN}."
        )
    api = HfApi(token=token)
    operations = [CommitOperationAdd(path, content) for path, content in files.items()]
    with _explained(repository, "write to"):
        address = api.create_repo(repository, private=private, exist_ok=force)
    try:
        with _explained(repository, "write to"):
            api.create_commit(repository, operations, commit_message="Add an adapter")
    except HubError as error:
        # Not deleted: the commit may be there all the same, where only the answer was lost.
        left = "The repository exists now, without this adapter; push again with force=True."
        raise HubError(f"{error} {left}") from error
    return str(address)


def download(repository: str, file: str, *, revision: str | None, token: str | None) -> Path:
    """Return where a file of a repository lies, fetched unless the cache has it.

    Args:
        repository: Its name, "owner/name".
        file: The file's path in it.
        revision: A branch, a tag or a commit; default: the newest.
        token: An access token; default: that of the log-in, if any.

    Raises:
        HubError: When there is no such repository or file, or the Hub cannot be reached.
    """
    with _explained(repository, "read"):
        return Path(hf_hub_download(repository, file, revision=revision, token=token))


def card_header(**fields: Any) -> str:
    """Return the header of a card, which the Hub sorts by.

    Args:
        fields: What it holds, by the Hub's words for it; None is left out.
    """
    return f"---\n{ModelCardData(**fields).to_yaml()}\n---"


def fetch_snapshot(repository: str, patterns: Sequence[str]) -> Path:
    """Return a folder with some files of a repository, fetched unless the cache has them all.

    Args:
        repository: Its name, "owner/name".
        patterns: Which files: paths in which * stands for anything.

    Raises:
        HubError: When there is no such repository, or the Hub cannot be reached and the cache lacks
            some of them.
    """
    with _explained(repository, "read"):
        return Path(snapshot_download(repository, allow_patterns=list(patterns)))


@dataclass(frozen=True)
class Dataset:
    """Some files of a data set on the Hub, at one revision.

    Attributes:
        repository: Its name, "owner/name".
        patterns: Which files: paths in which * stands for anything.
        revision: A commit, a branch or a tag.
    """

    repository: str
    patterns: tuple[str, ...]
    revision: str = "main"

    def __str__(self) -> str:
        return f"{self.repository!r} at {self.revision!r}"

    def _files(self, *, dry_run: bool) -> Any:
        """Fetch the files, or only list what that would take."""
        with _explained(self.repository, "read"):
            return snapshot_download(
                self.repository,
                repo_type="dataset",
                revision=self.revision,
                allow_patterns=list(self.patterns),
                dry_run=dry_run,
            )

    def missing_bytes(self) -> int:
        """Return how much of it would have to be fetched, in bytes.

        Raises:
            HubError: When there is no such data set, or the Hub cannot be reached.
        """
        files = self._files(dry_run=True)
        return sum(file.file_size or 0 for file in files if file.will_download)

    def fetch(self) -> Path:
        """Return a folder with its files, fetched unless the cache has them all; its name is the commit.

        Raises:
            HubError: When there is no such data set, or the Hub cannot be reached and the cache
                lacks some of them.
        """
        return Path(self._files(dry_run=False))


def listing(repository: str) -> dict[str, int]:
    """Return the files of a repository, each with its size in bytes; 0 where that is not said.

    Args:
        repository: Its name, "owner/name".

    Raises:
        HubError: When there is no such repository, or the Hub cannot be reached.
    """
    with _explained(repository, "read"):
        found = HfApi().model_info(repository, files_metadata=True).siblings or []
    return {file.rfilename: file.size or 0 for file in found}


def is_cached(repository: str) -> bool:
    """Return whether the pipeline of a repository was fetched before; nobody is asked.

    Args:
        repository: Its name, "owner/name".
    """
    return cached_folder(repository, "model_index.json") is not None


def cached_models() -> tuple[list[str], list[Path]]:
    """Return what was fetched before of repositories of models; nobody is asked.

    Returns:
        The names of those whose pipelines were, and the safetensors files at the top of the others.
    """
    try:
        found = scan_cache_dir().repos
    except CacheNotFound:
        return [], []
    models = [each for each in found if each.repo_type == "model" and each.revisions]
    pipelines = [each.repo_id for each in models if is_cached(each.repo_id)]
    loose = (each for each in models if each.repo_id not in pipelines)
    newest = (max(each.revisions, key=lambda found: found.last_modified) for each in loose)
    files = (Path(file.file_path) for found in newest for file in found.files)
    at_top = (path for path in files if path.parent.parent.name == "snapshots")
    return sorted(pipelines), sorted(path for path in at_top if path.suffix == ".safetensors")


def cached_folder(repository: str, file: str) -> Path | None:
    """Return the folder in which a repository lies that was fetched before, or None; nobody is asked.

    Args:
        repository: Its name, "owner/name".
        file: A file that it must hold, at its top.
    """
    try:
        found = try_to_load_from_cache(repository, file)
    except HFValidationError:
        return None
    return Path(found).parent if isinstance(found, str) else None


@contextmanager
def _explained(repository: str, doing: str) -> Iterator[None]:
    """Turn what goes wrong with the Hub in a block into one sentence; `doing` is a verb."""
    try:
        yield
    except HFValidationError as error:
        raise HubError(
            f"{quoted(repository)} is no name of a repository; it has the form owner/name."
        ) from error
    except LocalEntryNotFoundError as error:
        raise HubError(_said(repository, doing, error.__cause__)) from error
    except (RevisionNotFoundError, EntryNotFoundError) as error:
        raise HubError(
            f"The repository {quoted(repository)} has no such file or revision; look at its files for "
            "the right name."
        ) from error
    except (OfflineModeIsEnabled, HTTPError, OSError) as error:
        raise HubError(_said(repository, doing, error)) from error
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise HubError(
            f"The Hub refuses what was to be written to {quoted(repository)}: {reason}"
        ) from error


def _said(repository: str, doing: str, error: BaseException | None) -> str:
    """Return what an answer of the Hub, or of the disk, means."""
    if isinstance(error, GatedRepoError):
        return (
            f"The repository {quoted(repository)} is open to those who accepted its terms: accept them "
            f"at {ENDPOINT}/{repository}, and {_LOG_IN}."
        )
    if isinstance(error, RepositoryNotFoundError):
        return (
            f"The Hub has no repository {quoted(repository)} that you may read; check the name, or log "
            "in with 'hf auth login' if it is private."
        )
    if isinstance(error, HfHubHTTPError):
        return _refused(repository, doing, error.response.status_code)
    if isinstance(error, OSError) and error.errno in _OF_DISKS:
        return (
            f"What the Hub has of {quoted(repository)} cannot be kept ({_OF_DISKS[error.errno]}); make "
            "room, or name another folder for the cache with HF_HOME."
        )
    return (
        f"The Hub cannot be reached for {quoted(repository)}, and the local cache does not serve; "
        "connect to the network, or unset HF_HUB_OFFLINE."
    )


def _refused(repository: str, doing: str, status: int) -> str:
    """Return what a refusal of the Hub means."""
    if status in (401, 403):
        return f"The Hub does not let you {doing} {quoted(repository)} ({status}); {_LOG_IN}."
    if status == 409:
        return (
            f"The repository {quoted(repository)} exists already; pass force=True to write to it."
        )
    if status == 429:
        return (
            f"The Hub was asked too often from here and puts off {quoted(repository)} (429); wait some "
            f"minutes, or {_LOG_IN}."
        )
    trouble = " is out of order and" if status >= 500 else ""
    return f"The Hub{trouble} answered {status} for {quoted(repository)}; try again later."
