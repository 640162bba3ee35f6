"""The versions of the codec: what all checkpoints of one have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["FORMATS", "V1", "V2", "CatFormat"]


@dataclass(frozen=True, slots=True)
class CatFormat:
    """A version of the codec."""

    name: str
    """For people."""
    repository: str
    """Of its makers' checkpoint on the hub."""
    sampling_rate: int
    """Hz."""
    channels: int
    """Their samples take turns in one sequence."""
    frame_samples: int
    """80 ms, of each channel."""
    always_projects: bool
    """Each transformer has projections in and out; otherwise only where widths differ."""
    whole: Callable[[float], int]
    """Makes a number of positions of an attention window's length."""


V1 = CatFormat(
    "MOSS-Audio-Tokenizer v1 (24 kHz mono)",
    "OpenMOSS-Team/MOSS-Audio-Tokenizer",
    sampling_rate=24_000,
    channels=1,
    frame_samples=1920,
    always_projects=False,
    whole=int,
)
V2 = CatFormat(
    "MOSS-Audio-Tokenizer v2 (48 kHz stereo)",
    "OpenMOSS-Team/MOSS-Audio-Tokenizer-v2",
    sampling_rate=48_000,
    channels=2,
    frame_samples=3840,
    always_projects=True,
    whole=round,
)
FORMATS = {(each.sampling_rate, each.channels): each for each in (V1, V2)}
"""By rate and channels, which tell them apart."""
