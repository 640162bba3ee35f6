"""The header of a WAV file, whose length may not be known yet."""

from __future__ import annotations

import struct

from moss_stream.formats.pcm import SAMPLE_BYTES, Encoding

__all__ = ["wav_header"]

UNKNOWN = 0xFFFFFFFF
"""The length of what is still being made; readers take what comes."""
TAGS: dict[Encoding, int] = {"pcm_s16le": 1, "pcm_f32le": 3, "pcm_alaw": 6, "pcm_mulaw": 7}
"""Of the format, as Microsoft numbered them."""


def wav_header(
    rate: int, channels: int, encoding: Encoding = "pcm_s16le", num_bytes: int | None = None
) -> bytes:
    """Return the header.

    Args:
        rate: In Hz.
        channels: Of the samples.
        encoding: Of each.
        num_bytes: Of all samples; None: not known yet.
    """
    width = SAMPLE_BYTES[encoding]
    size = width * channels
    form = struct.pack(
        "<4sIHHIIHH", b"fmt ", 16, TAGS[encoding], channels, rate, size * rate, size, 8 * width
    )
    # More than 4 GB cannot be said, either.
    length = UNKNOWN if num_bytes is None else min(num_bytes, UNKNOWN)
    whole = min(length + 36, UNKNOWN)
    return struct.pack("<4sI4s", b"RIFF", whole, b"WAVE") + form + struct.pack("<4sI", b"data", length)
