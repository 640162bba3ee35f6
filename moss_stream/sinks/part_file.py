"""A file that takes its name with the first audio: what was there before is kept until then."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from moss_stream.errors import SinkError

__all__ = ["PartFile"]


class PartFile:
    """A file that is written on threads, one operation at a time; its errors are SinkErrors.

    Args:
        path: Of the file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None
        self._part: Path | None = None
        """Where the audio is until there is some; None for what cannot be replaced, such as /dev/stdout."""
        self._is_shown = self._is_closed = False

    @property
    def is_open(self) -> bool:
        """Whether it was opened, and not closed yet."""
        return self._file is not None and not self._is_closed

    def opened(self) -> BinaryIO:
        """Return the file, opened if it was not. Call it within `exclusively`, as the others."""
        if self._is_closed:
            raise SinkError(f"{self.path!r} is closed already. Open a new sink.")
        if self._file is None:
            target = Path(self.path)
            if target.is_file() or not target.exists():
                self._part = target.resolve().with_name(f".{target.name}.{uuid4().hex[:8]}.part")
            self._file = (self._part or target).open("wb" if self._part is None else "w+b")
        return self._file

    def show(self) -> None:
        """Give the file its name: there is audio in it, which can be played."""
        if self._file is not None:
            self._file.flush()
        if not self._is_shown and self._part is not None:
            self._part.replace(Path(self.path).resolve())
        self._is_shown = True

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        if self._file is not None and not self._is_closed:
            self._file.flush()

    def close(self) -> None:
        """Close it; without audio it leaves nothing. May be called again."""
        self._is_closed = True
        if self._file is None or self._file.closed:
            return
        self._file.close()
        if not self._is_shown and self._part is not None:
            self._part.unlink(missing_ok=True)

    @contextlib.contextmanager
    def exclusively(self) -> Iterator[None]:
        """Hold the file, and translate its errors."""
        try:
            with self._lock:
                yield
        except (OSError, ValueError) as error:  # a path with a null character
            why = getattr(error, "strerror", None) or error
            raise SinkError(f"{self.path!r} cannot be written ({why}). Choose another path.") from error
