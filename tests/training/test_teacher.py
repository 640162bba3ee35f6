from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.corpus import Corpus
from training.teacher import SHARD, taught, whole_frames
from training.vocoder import pulse_times, synthesise

POINTS, BINS = 48, 513  # three frames of analysis points


def spectrum_of_a_vowel() -> np.ndarray:
    """Power spectra with one formant at 700 Hz, at all points the same."""
    hertz = np.linspace(0, 12_000, BINS)
    return np.tile(1e-3 / (1 + ((hertz - 700) / 100) ** 2), (POINTS, 1))


def test_pulses_begin_with_the_frames() -> None:
    """Each frame has its whole number of periods, the first at its first sample."""
    times = pulse_times(np.array([8, 10]))
    assert list(times[:8]) == list(range(0, 1920, 240)) and times[8] == 1920 and times[9] == 1920 + 192
    assert len(times) == 18


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_equal_spectra_give_equal_frames(noise: float) -> None:
    """Voiced or not: samples follow from spectra alone, so that a codec can learn them."""
    made = synthesise(spectrum_of_a_vowel(), np.full((POINTS, BINS), noise), np.full(3, 8))
    assert len(made) == 3 * 1920
    np.testing.assert_allclose(made[1920:3840], made[3840:], atol=1e-3 * np.abs(made).max())


def test_the_spectrum_and_the_pitch_are_those_asked_for() -> None:
    """A vowel of 700 Hz on a note of 100 Hz: all energy in harmonics, most of it near the formant."""
    made = synthesise(spectrum_of_a_vowel(), np.zeros((POINTS, BINS)), np.full(3, 8))[1920:3840]
    power = np.abs(np.fft.rfft(made)) ** 2  # bins of 12.5 Hz
    assert power[::8].sum() > 0.999 * power.sum()
    assert power.argmax() * 12.5 == 700


def test_loudness_does_not_depend_on_the_pitch() -> None:
    """Twice as many pulses have the same power in all, and so has noise."""
    flat = np.full((POINTS, BINS), 1e-4)
    powers = [
        np.square(synthesise(flat, np.full((POINTS, BINS), noise), np.full(3, count))[1920:]).mean()
        for noise, count in ((0.0, 8), (0.0, 16), (1.0, 8))
    ]
    assert powers == pytest.approx([powers[0]] * 3, rel=0.1)


def test_utterances_are_found_in_the_files_again(tmp_path: Path) -> None:
    """Files may be missing; those that are there give the number and the samples of each utterance."""
    lengths = [1000 + 700 * (i % 5) for i in range(SHARD + 2)]
    corpus = Corpus(
        texts=[str(i) for i in range(len(lengths))],
        spans=[[] for _ in lengths],
        starts=np.concatenate([[0], np.cumsum(lengths)]),
        samples=np.zeros(sum(lengths), np.int16),
    )
    rows = [np.full((2, whole_frames(n) * 1920), i, np.int16) for i, n in enumerate(lengths)]
    np.save(tmp_path / f"slt_{SHARD:05}.npy", np.concatenate(rows[SHARD:], axis=1))
    found = list(taught(tmp_path, "slt", corpus))
    assert [number for number, _ in found] == [SHARD, SHARD + 1]
    for number, pair in found:
        np.testing.assert_array_equal(pair, rows[number])
