"""Speech from spectral envelopes, with nothing in it that is left to chance.

WORLD's source and filter (M. Morise et al., "WORLD: a vocoder-based high-quality speech synthesis system
for real-time applications", 2016): pulses and noise, each shaped by a minimum-phase filter. Two things
differ, so that a small decoder can learn the samples themselves: pulses begin on the frame grid, and the
noise is the same 80 ms in every frame.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from moss_stream.audio import SAMPLE_RATE_HZ
from training.settings import FRAME_SAMPLES, PATCH

__all__ = ["pulse_times", "synthesise"]

FloatArray = npt.NDArray[np.float64]
POINT = SAMPLE_RATE_HZ // 200
"""Samples between two analysis points (5 ms)."""


def pulse_times(harmonics: npt.NDArray[np.int64]) -> FloatArray:
    """Return the sample, not always whole, of every pulse, from the periods in each frame [frames]."""
    return np.concatenate(
        [(frame + np.arange(count) / count) * FRAME_SAMPLES for frame, count in enumerate(harmonics)]
    )


def synthesise(envelope: FloatArray, noise: FloatArray, harmonics: npt.NDArray[np.int64]) -> FloatArray:
    """Return samples [frames * 1920].

    Args:
        envelope: Power spectra [points, bins], one every 5 ms, as CheapTrick gives them.
        noise: Share of the noise in the amplitude [points, bins], as D4C gives it.
        harmonics: Periods in each frame [frames]; 8 are 100 Hz.
    """
    length = len(harmonics) * FRAME_SAMPLES
    size = 2 * (envelope.shape[1] - 1)
    pulses = pulse_times(harmonics)
    apart = np.repeat(FRAME_SAMPLES / harmonics, harmonics)
    voiced, hiss = envelope * (1 - noise**2), envelope * noise**2
    made = np.zeros(length + 2 * size)
    starts = np.floor(pulses).astype(np.int64)
    shifts = np.exp(-2j * np.pi * np.outer(pulses - starts, np.arange(size // 2 + 1)) / size)
    shaped = _minimum_phase(_at(voiced, pulses)) * shifts
    _add(made, starts, np.fft.irfft(shaped) * np.sqrt(apart)[:, None])
    patches = np.arange(length // PATCH) * PATCH
    fixed = np.fft.rfft(_frame_of_noise(), size)[np.arange(len(patches)) % (FRAME_SAMPLES // PATCH)]
    _add(made, patches, np.fft.irfft(_minimum_phase(_at(hiss, patches.astype(np.float64))) * fixed))
    return made[:length]


def _frame_of_noise() -> FloatArray:
    """Return the noise of a frame by patches [8, 240], always the same."""
    noise = np.random.default_rng(0).standard_normal((FRAME_SAMPLES // PATCH, PATCH))
    return np.asarray(noise - noise.mean(1, keepdims=True))


def _at(spectra: FloatArray, times: FloatArray) -> FloatArray:
    """Return log spectra at some samples, between the points on both sides."""
    log = np.log(np.maximum(spectra, 1e-12))
    place = np.minimum(times / POINT, len(log) - 1)
    left = np.minimum(place.astype(np.int64), max(len(log) - 2, 0))
    share = (place - left)[:, None]
    return np.asarray((1 - share) * log[left] + share * log[np.minimum(left + 1, len(log) - 1)])


def _minimum_phase(log_power: FloatArray) -> npt.NDArray[np.complex128]:
    """Return the spectra [n, bins] of the minimum-phase filters of log power spectra, by the cepstrum."""
    cepstrum = np.fft.irfft(log_power / 2)
    half = cepstrum.shape[1] // 2
    cepstrum[:, 1:half] *= 2
    cepstrum[:, half + 1 :] = 0
    return np.asarray(np.exp(np.fft.rfft(cepstrum)))


def _add(made: FloatArray, starts: npt.NDArray[np.int64], pieces: FloatArray) -> None:
    for start, piece in zip(starts, pieces, strict=True):
        made[start : start + len(piece)] += piece
