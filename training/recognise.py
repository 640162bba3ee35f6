"""Word error rate by a small offline recogniser (pocketsphinx, whose model comes with the package)."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pocketsphinx
import soxr

from moss_stream.audio import SAMPLE_RATE_HZ

__all__ = ["Recogniser", "error_rate", "spoken_words", "word_errors"]


class Recogniser:
    """Turns speech into lower-case words."""

    def __init__(self) -> None:
        self._decoder = pocketsphinx.Decoder(samprate=16_000, loglevel="FATAL")

    def words(self, samples: npt.NDArray[np.int16]) -> list[str]:
        """Return the words heard in samples at 24 kHz."""
        narrow = soxr.resample(samples, SAMPLE_RATE_HZ, 16_000)
        self._decoder.start_utt()
        self._decoder.process_raw(narrow.astype("<i2").tobytes(), full_utt=True)
        self._decoder.end_utt()
        best = self._decoder.hyp()
        return best.hypstr.split() if best else []


def spoken_words(text: str) -> list[str]:
    """Return the words of a text as the recogniser would write them."""
    return re.findall(r"[a-z0-9']+", text.lower())


def word_errors(wanted: list[str], heard: list[str]) -> int:
    """Return the least number of insertions, deletions and substitutions between two texts."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(wanted, start=1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(heard, start=1):
            best = min(row[j] + 1, row[j - 1] + 1, diagonal + (word != other))
            diagonal, row[j] = row[j], best
    return row[-1]


def error_rate(pairs: Iterable[tuple[str, list[str]]]) -> float:
    """Return the word error rate over (text, heard words)."""
    errors = total = 0
    for text, heard in pairs:
        wanted = spoken_words(text)
        errors += word_errors(wanted, heard)
        total += len(wanted)
    return errors / total
