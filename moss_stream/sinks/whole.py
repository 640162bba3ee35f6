"""A recording that has its name when it is whole, not before."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from moss_stream.errors import SinkError
from moss_stream.formats.output import AudioFormat
from moss_stream.sinks.file import FileSink, container_of

__all__ = ["whole_file"]


@contextlib.asynccontextmanager
async def whole_file(target: Path, speed: float = 1.0) -> AsyncIterator[FileSink]:
    """Write a file beside its place; it takes that when the block ends, and is removed if the block raises.

    Args:
        target: Its place; its suffix says the format. Folders are made.
        speed: Of the audio.

    Raises:
        ConfigError: The name asks for no format.
        SinkError: It cannot be written.
    """
    part = target.with_name(f".{target.name}.part")
    sink = FileSink(part, AudioFormat(container_of(target.name), channels=None, speed=speed))
    with _told(target):
        await asyncio.to_thread(part.parent.mkdir, parents=True, exist_ok=True)
    try:
        yield sink
        await sink.aclose()
        with _told(target):
            await asyncio.to_thread(part.replace, target)
    finally:
        await sink.aclose()
        with contextlib.suppress(OSError):
            await asyncio.to_thread(part.unlink, missing_ok=True)


@contextlib.contextmanager
def _told(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = error.strerror or error
        raise SinkError(f"{str(target)!r} cannot be written ({why}). Choose another path.") from error
