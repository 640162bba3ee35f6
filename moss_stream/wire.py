"""How audio travels in a binary message: a header, then samples.

The header is 20 bytes, little endian: the number of the stream, its generation, where the audio begins in
milliseconds, and which part of the written text it speaks (first character, and the one after the last).
What a cancelled stream still had on its way carries an old generation and must not be played. Times and
places start again from 0 at 2^32, which is after 49 days or four thousand million characters.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass

from moss_stream.audio import AudioChunk
from moss_stream.errors import ConfigError, SinkError
from moss_stream.formats.pcm import SAMPLE_BYTES, Encoding, encoded
from moss_stream.quote import quoted

__all__ = ["HEADER_BYTES", "FarEnd", "Packet", "check_stream", "is_news", "pack", "unpack"]

_HEADER = struct.Struct("<5I")
HEADER_BYTES = _HEADER.size
MAX_NUMBER = 2**32
"""The header's fields have 32 bits."""
NOTICEABLE = 0.1
"""Share by which the speed must change to be told again: measured speeds waver by less."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A binary message."""

    stream: int
    generation: int
    start_ms: int
    char_start: int
    char_end: int
    pcm: bytes
    """Little endian, in the encoding that the stream was begun with; int16 if none was named."""


def pack(chunk: AudioChunk, stream: int, generation: int, encoding: Encoding = "pcm_s16le") -> bytes:
    """Return a chunk as a binary message, its samples in `encoding`.

    Raises:
        ConfigError: `stream` is no number from 0 to 2^32 - 1.
    """
    check_stream(stream)
    start_ms = round(chunk.start_s * 1000)
    counts = (count % MAX_NUMBER for count in (generation, start_ms, chunk.char_start, chunk.char_end))
    return _HEADER.pack(stream, *counts) + encoded(chunk.samples, encoding)


def check_stream(stream: int) -> None:
    """Raise ConfigError if `stream` is no number that a header can hold."""
    if not 0 <= stream < MAX_NUMBER:
        raise ConfigError(f"stream={quoted(stream)} does not fit a header. Give a number below 2^32.")


def unpack(message: bytes, encoding: Encoding = "pcm_s16le") -> Packet:
    """Read a binary message whose samples are in `encoding`.

    Raises:
        SinkError: It is none of ours.
    """
    width = SAMPLE_BYTES[encoding]
    if len(message) < HEADER_BYTES or (len(message) - HEADER_BYTES) % width:
        raise SinkError(
            f"A message of {len(message)} bytes is not audio: it needs a header of {HEADER_BYTES} bytes and "
            f"whole samples of {width} bytes. Is the other side moss-stream?"
        )
    stream, generation, start_ms, char_start, char_end = _HEADER.unpack_from(message)
    return Packet(stream, generation, start_ms, char_start, char_end, message[HEADER_BYTES:])


def is_news(told: float | None, rtf: float) -> bool:
    """Tell whether a player at the other end must hear that the expected RTF is not what it was told.

    On a machine that is faster than real time it makes no difference.
    """
    before = told or 0.0
    return (before > 1.0) != (rtf > 1.0) or (rtf > 1.0 and abs(rtf - before) > NOTICEABLE * before)


class FarEnd:
    """What a listener at the other end of a wire has played.

    It may report that; until it does, it is assumed to play in real time, from the first chunk on.

    Args:
        clock: Seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._dry_s: float | None = None
        self._reported_s: float | None = None
        self.sent_s = 0.0

    def sent(self, duration_s: float) -> None:
        """Note audio that was sent."""
        now_s = self._clock()
        self.sent_s += duration_s
        self._dry_s = max(now_s, self._dry_s or now_s) + duration_s

    def played(self, seconds: float) -> None:
        """Take a report: seconds played, of all that was sent; what is no number (NaN) is passed over."""
        if math.isnan(seconds):
            return
        self._reported_s = max(seconds, self._reported_s or 0.0)

    def dropped(self) -> None:
        """Note that what was not played yet never will be."""
        self.sent_s, self._dry_s = self.position_s, None

    @property
    def waited_s(self) -> float:
        """For how long it has had nothing to play, by the clock."""
        return 0.0 if self._dry_s is None else max(0.0, self._clock() - self._dry_s)

    @property
    def position_s(self) -> float:
        """Seconds played."""
        if self._reported_s is not None:
            return min(self._reported_s, self.sent_s)
        left_s = 0.0 if self._dry_s is None else max(0.0, self._dry_s - self._clock())
        return max(0.0, self.sent_s - left_s)
