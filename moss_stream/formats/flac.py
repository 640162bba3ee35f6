"""The length of a FLAC file, which its header has room for."""

from __future__ import annotations

__all__ = ["LENGTH_AT", "LENGTH_SIZE", "with_length"]

LENGTH_AT, LENGTH_SIZE = 18, 8
"""Bytes of STREAMINFO that end with the number of samples, in 36 bits (RFC 9639, 8.2)."""
_BITS = 36
"""Of the number (ibid.)."""


def with_length(field: bytes, num_samples: int) -> bytes:
    """Return those bytes with a number of samples in them; 0 stands for one that is too large to be said.

    Args:
        field: The bytes as they are: rate, channels and width stand before the number.
        num_samples: Of each channel.
    """
    said = num_samples if num_samples < 1 << _BITS else 0
    kept = int.from_bytes(field, "big") >> _BITS << _BITS
    return (kept | said).to_bytes(LENGTH_SIZE, "big")
