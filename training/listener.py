"""Who is speaking: the nearest of some known speakers (Resemblyzer)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from moss_stream.audio import SAMPLE_RATE_HZ
from training.flite import Flite

__all__ = ["Listener"]

Samples = npt.NDArray[np.int16]


class Listener:
    """Knows flite's speakers by their voices (Resemblyzer)."""

    def __init__(self, flite: Flite, voices: tuple[str, ...], texts: list[str]) -> None:
        from resemblyzer import VoiceEncoder  # large; only this needs it

        self._encoder = VoiceEncoder("cpu", verbose=False)
        self._centres = {
            voice: np.mean([self._embed(flite.speak(voice, text).samples) for text in texts], axis=0)
            for voice in voices
        }

    def who(self, samples: Samples) -> str:
        """Return the voice that samples at 24 kHz are nearest to."""
        made = self._embed(samples)
        return max(self._centres, key=lambda name: float(self._centres[name] @ made))

    def _embed(self, samples: Samples) -> npt.NDArray[np.float32]:
        from resemblyzer import preprocess_wav

        wave = preprocess_wav(samples / 32768, source_sr=SAMPLE_RATE_HZ)
        return np.asarray(self._encoder.embed_utterance(wave))
