"""G.711, the encodings of telephones: 16 bits of a sample in 8, by a table."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["alaw", "mulaw"]

Levels = npt.NDArray[np.int32]


def mulaw(samples: npt.NDArray[np.int16]) -> npt.NDArray[np.uint8]:
    """Return samples [N] in mu-law, as telephones of America and Japan take it."""
    return _table("mulaw")[samples.view(np.uint16)]


def alaw(samples: npt.NDArray[np.int16]) -> npt.NDArray[np.uint8]:
    """Return samples [N] in A-law, as telephones of all other places take it."""
    return _table("alaw")[samples.view(np.uint16)]


@cache
def _table(name: str) -> npt.NDArray[Any]:
    """Return the code of every sample: that of the nearest level."""
    levels = _mulaw_levels() if name == "mulaw" else _alaw_levels()
    codes = np.argsort(levels, kind="stable")
    ordered = levels[codes]
    middles = (ordered[:-1] + ordered[1:]) // 2
    samples = np.arange(1 << 16, dtype=np.uint16).view(np.int16)
    return codes[np.searchsorted(middles, samples, side="right")].astype(np.uint8)


def _mulaw_levels() -> Levels:
    """Return what each code stands for (ITU-T G.711, table 2a): all bits are inverted on the line."""
    code = ~np.arange(256) & 0xFF
    size = (((code & 0x0F) << 3) + 0x84 << (code >> 4 & 7)) - 0x84
    return np.where(code & 0x80, -size, size)


def _alaw_levels() -> Levels:
    """Return what each code stands for (ITU-T G.711, table 1a): every other bit is inverted on the line."""
    code = np.arange(256) ^ 0x55
    exponent, size = code >> 4 & 7, ((code & 0x0F) << 4) + 8
    size = np.where(exponent > 0, size + 0x100 << np.maximum(exponent - 1, 0), size)
    return np.where(code & 0x80, size, -size)
