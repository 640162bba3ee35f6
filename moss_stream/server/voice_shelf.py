"""Where uploaded voices are kept: a folder, or a store that several servers share."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from moss_stream import Voice
from moss_stream.errors import ConfigError
from moss_stream.files import clean_up, new_file
from moss_stream.quote import quoted
from moss_stream.server.remote_shelf import RemoteShelf
from moss_stream.server.stored_voice import StoredVoice, about, codes_file, codes_of, to_int16, voice_from

__all__ = ["FolderShelf", "Shelf", "shelf_at"]

LEFT_S = 3600.0
"""What an interrupted writer left is removed when it is so old; younger ones may be somebody's who writes."""


class Shelf(Protocol):
    """Keeps voices by name; names are checked before. Its methods block."""

    def stamps(self) -> dict[str, str]:
        """Return the names that are there, each with something that changes when the voice does."""

    def read(self, name: str) -> tuple[StoredVoice, Voice]:
        """Return a voice.

        Raises:
            FileNotFoundError: It is not there.
        """

    def write(self, stored: StoredVoice, voice: Voice) -> None:
        """Keep a voice: nobody sees half of it.

        Raises:
            FileExistsError: There is one of its name.
        """

    def remove(self, name: str) -> None:
        """Forget a voice, if it is there."""


class FolderShelf:
    """`Shelf` in a folder, which servers on other machines may share through the network.

    Args:
        folder: Made when the first voice is stored.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def stamps(self) -> dict[str, str]:
        """See `Shelf`; what interrupted writers left goes."""
        clean_up(self._folder, LEFT_S)
        found = {}
        for file in sorted(self._folder.glob("*.json")):
            try:
                now = file.stat()
            except FileNotFoundError:  # removed meanwhile
                continue
            found[file.stem] = f"{now.st_mtime_ns} {now.st_size} {now.st_ino}"
        return found

    def read(self, name: str) -> tuple[StoredVoice, Voice]:
        """See `Shelf`."""
        file = self._folder / f"{name}.json"
        fields, codes = codes_of(name, file.read_bytes())
        # Mapped: a header that claims more than the file holds is an error, and allocates nothing.
        return voice_from(name, fields, np.lib.format.open_memmap(file.with_name(codes), mode="r"))

    def write(self, stored: StoredVoice, voice: Voice) -> None:
        """See `Shelf`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with new_file(self._folder / codes_file(stored.name, voice.key)) as file:
            np.save(file, to_int16(voice))
        with new_file(self._folder / f"{stored.name}.json", replaces=False) as file:
            file.write(about(stored, voice))

    def remove(self, name: str) -> None:
        """See `Shelf`."""
        (self._folder / f"{name}.json").unlink(missing_ok=True)
        for codes in (self._folder / f"{name}.npy", *self._folder.glob(f"{name}.*.npy")):
            codes.unlink(missing_ok=True)


def shelf_at(location: str | Path) -> Shelf:
    """Return the shelf at a folder or an address that fsspec knows, such as s3://bucket/voices.

    Raises:
        ConfigError: There is nothing of that kind, or its package is not installed.
    """
    if isinstance(location, Path) or "://" not in location:
        return FolderShelf(Path(location))
    try:
        return RemoteShelf.at(location)
    except (ImportError, ValueError) as error:
        raise ConfigError(
            f"--voices {quoted(location)}: {error}. Give a folder, or an address that fsspec knows, with the "
            "package for it installed (s3fs for s3://)."
        ) from error
