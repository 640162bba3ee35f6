"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from uuid import uuid4

__all__ = ["clean_up", "new_file"]

SUFFIX = ".part"


@contextlib.contextmanager
def new_file(path: Path, replaces: bool = True) -> Iterator[IO[bytes]]:
    """Write a file under a temporary name beside it; it gets its own name when the block ends.

    If the block raises, nothing is left, and a file that was there before stays.

    Args:
        path: Its name; the folder must exist.
        replaces: Take the place of a file that is there; otherwise that is FileExistsError, also if it
            comes meanwhile.

    Raises:
        OSError: It cannot be written.
    """
    part = path.with_name(f".{path.name}.{uuid4().hex[:8]}{SUFFIX}")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # a rename may reach the disk before what was written
        if replaces:
            part.replace(path)
        else:
            _take(part, path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _take(part: Path, path: Path) -> None:
    """Give a file its name unless that is taken: a link, unlike a rename, never replaces."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        with path.open("xb"):
            pass
        part.replace(path)


def clean_up(folder: Path, age_s: float = 0.0) -> None:
    """Remove what interrupted writers left in a folder.

    Args:
        folder: Where.
        age_s: Leave what was written to since; others may write into the folder, too.
    """
    latest_s = time.time() - age_s
    for part in folder.glob(f".*{SUFFIX}"):
        with contextlib.suppress(OSError):
            if part.stat().st_mtime <= latest_s:
                part.unlink()
