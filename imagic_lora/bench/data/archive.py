"""Sets in tar files: of each, the files below one folder."""

import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from imagic_lora.errors import InputError
from imagic_lora.files import write_atomic


@dataclass(frozen=True)
class Archive:
    """What of an archive is needed.

    Attributes:
        folder: The folder in the archive whose content is taken.
        endings: Endings of the files that are.
    """

    folder: str
    endings: tuple[str, ...]

    def unpack(self, files: Sequence[Path], out: Path) -> None:
        """Write the files of archives to a folder; nothing that leads out of it is.

        Args:
            files: The archives.
            out: The folder.

        Raises:
            InputError: When a file is no archive, or is damaged.
            OutputError: When something cannot be written.
        """
        for path in files:
            self._unpack(path, out)

    def _unpack(self, path: Path, out: Path) -> None:
        try:
            with tarfile.open(path) as archive:
                for member in archive:
                    if (target := self._target(member, out)) is not None:
                        content = archive.extractfile(member)
                        write_atomic(target, b"" if content is None else content.read(), force=True)
        except (tarfile.TarError, EOFError) as error:
            raise InputError(f"'{path}' is no whole tar file; fetch it again.") from error

    def _target(self, member: tarfile.TarInfo, out: Path) -> Path | None:
        """Return where a file goes; None for what is left out."""
        name = PurePosixPath(member.name)
        wanted = name.is_relative_to(self.folder) and name.suffix.lower() in self.endings
        if not (wanted and member.isfile()) or ".." in name.parts:
            return None
        return out / name.relative_to(self.folder)
