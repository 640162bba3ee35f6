"""Uploaded voices in an object store, by fsspec: S3 and its kin, or whatever else that knows."""

from __future__ import annotations

import io
from pathlib import PurePosixPath
from typing import Any, Self

import fsspec
import numpy as np

from moss_stream import Voice
from moss_stream.server.stored_voice import StoredVoice, about, codes_file, codes_of, to_int16, voice_from

__all__ = ["RemoteShelf"]

MAX_BYTES = 4 << 20
"""Of a file: a minute of 32 codebooks takes 48 KB; more is nothing that was stored here."""
STAMPS = ("ETag", "etag", "mtime", "LastModified", "last_modified", "created", "updated", "size")
"""What stores say of an object that changes with it, each in its own word."""


class RemoteShelf:
    """`moss_stream.server.voice_shelf.Shelf` in a store whose objects appear whole.

    A name is given once where the store can create an object only if there is none (S3, GCS and local
    files can); in others the last of two who store a name in the same moment wins.

    Args:
        store: A file system of fsspec.
        root: The folder in it.
    """

    def __init__(self, store: Any, root: str) -> None:
        self._store = store
        self._root = root.rstrip("/")

    @classmethod
    def at(cls, address: str) -> Self:
        """Return the shelf at an address with a scheme.

        Raises:
            ImportError: The scheme's package is missing.
            ValueError: There is no such scheme.
        """
        # Without its cache of listings, which would hide for minutes what others store.
        return cls(*fsspec.core.url_to_fs(address, use_listings_cache=False))

    def stamps(self) -> dict[str, str]:
        """See `Shelf`."""
        self._store.invalidate_cache(self._root)
        try:
            entries = self._store.ls(self._root, detail=True)
        except FileNotFoundError:  # nothing is stored yet
            return {}
        paths = ((PurePosixPath(entry["name"]), entry) for entry in entries)
        return {
            path.stem: " ".join(str(entry[key]) for key in STAMPS if key in entry)
            for path, entry in paths
            if path.suffix == ".json"
        }

    def read(self, name: str) -> tuple[StoredVoice, Voice]:
        """See `Shelf`."""
        fields, codes = codes_of(name, self._bytes(f"{name}.json"))
        loaded = np.load(io.BytesIO(self._bytes(codes)), allow_pickle=False)
        return voice_from(name, fields, loaded)

    def write(self, stored: StoredVoice, voice: Voice) -> None:
        """See `Shelf`."""
        target = self._path(f"{stored.name}.json")
        self._store.invalidate_cache(self._root)
        if self._store.exists(target):
            raise FileExistsError(target)
        self._store.makedirs(self._root, exist_ok=True)
        codes = io.BytesIO()
        np.save(codes, to_int16(voice))
        self._store.pipe_file(self._path(codes_file(stored.name, voice.key)), codes.getvalue())
        self._store.pipe_file(target, about(stored, voice), mode="create")

    def remove(self, name: str) -> None:
        """See `Shelf`."""
        _, codes = codes_of(name, self._bytes(f"{name}.json"))
        for file in (f"{name}.json", codes):
            try:
                self._store.rm_file(self._path(file))
            except FileNotFoundError:  # another server was faster
                continue

    def _path(self, file: str) -> str:
        return f"{self._root}/{file}"

    def _bytes(self, file: str) -> bytes:
        path = self._path(file)
        if (size := self._store.size(path)) is not None and size > MAX_BYTES:
            raise ValueError(f"{file} has {size} bytes, and no voice has more than {MAX_BYTES}")
        return bytes(self._store.cat_file(path))
