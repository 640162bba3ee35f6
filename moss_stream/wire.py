"""How audio travels in a binary message: a header, then PCM.

The header is 20 bytes, little endian: the number of the stream, its generation, where the audio begins in
milliseconds, and which part of the written text it speaks (first character, and the one after the last).
What a cancelled stream still had on its way carries an old generation and must not be played.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from moss_stream.audio import AudioChunk
from moss_stream.errors import SinkError

__all__ = ["HEADER_BYTES", "Packet", "pack", "unpack"]

_HEADER = struct.Struct("<5I")
HEADER_BYTES = _HEADER.size


@dataclass(frozen=True, slots=True)
class Packet:
    """A binary message."""

    stream: int
    generation: int
    start_ms: int
    char_start: int
    char_end: int
    pcm: bytes
    """Mono int16, little endian."""


def pack(chunk: AudioChunk, stream: int, generation: int) -> bytes:
    """Return a chunk as a binary message."""
    start_ms = round(chunk.start_s * 1000)
    return _HEADER.pack(stream, generation, start_ms, chunk.char_start, chunk.char_end) + chunk.pcm


def unpack(message: bytes) -> Packet:
    """Read a binary message.

    Raises:
        SinkError: It is none of ours.
    """
    if len(message) < HEADER_BYTES or (len(message) - HEADER_BYTES) % 2:
        raise SinkError(
            f"A message of {len(message)} bytes is no audio: it needs a header of {HEADER_BYTES} bytes and "
            "whole samples of two bytes. Is the other side moss-stream?"
        )
    stream, generation, start_ms, char_start, char_end = _HEADER.unpack_from(message)
    return Packet(stream, generation, start_ms, char_start, char_end, message[HEADER_BYTES:])
