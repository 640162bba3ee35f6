"""How long a text takes to speak, before anybody has spoken it."""

from __future__ import annotations

import unicodedata
from itertools import accumulate

__all__ = ["elapsed_s", "estimate_s"]

ALPHABETIC_S, IDEOGRAPHIC_S, DIGIT_S = 1 / 14, 0.22, 0.25
"""Seconds for a character: about 14 letters, 4.5 ideographs or 4 digits are spoken in a second."""


def estimate_s(text: str) -> float:
    """Return about how many seconds of speech `text` is."""
    return sum(map(_character_s, text))


def elapsed_s(text: str) -> list[float]:
    """Return after about how many seconds each character begins, and when the last one ends."""
    return list(accumulate(map(_character_s, text), initial=0.0))


def _character_s(character: str) -> float:
    if character.isascii():
        return DIGIT_S if character.isdigit() else ALPHABETIC_S
    if unicodedata.east_asian_width(character) == "W":
        return IDEOGRAPHIC_S
    return 0.0 if unicodedata.category(character) in ("Mn", "Me", "Cf") else ALPHABETIC_S
