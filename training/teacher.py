"""The teacher of the codec: every utterance again, with its pitch locked to the frames.

    python -m training.teacher WORK [--settings training/voice.toml]

What a small codec learns slowest is what spectra do not tell: where in a period the voice is when a patch
of samples begins, and the noise in fricatives. So each voice gets one pitch with a whole number of periods
in a frame, and the noise is always the same (see `training.vocoder`): samples then follow from spectra.
It costs the intonation; each voice keeps its register.

Writes WORK/teacher/VOICE_NUMBER.npy, int16 [2, N]: the utterances from NUMBER on as spoken and on the one
note, each padded to whole frames; a file that is there is not made again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moss_stream.audio import FRAME_S, SAMPLE_RATE_HZ
from training.command import stage_parser
from training.corpus import Corpus
from training.settings import FRAME_SAMPLES, VoiceSettings
from training.vocoder import synthesise

__all__ = ["lock_pitch", "taught", "teach", "whole_frames"]

FloatArray = npt.NDArray[np.float64]
PITCH_RANGE_HZ = (60.0, 320.0)
SHARD = 250
"""Utterances of a file."""
NOISE_EVERY = 4


def lock_pitch(samples: FloatArray, pitch_hz: float) -> FloatArray:
    """Return 24 kHz samples spoken again on one note, a multiple of 12.5 Hz, padded to whole frames."""
    import pyworld  # needs a compiler to install, and only this function needs it

    frames = whole_frames(len(samples))
    padded = np.pad(samples, (0, frames * FRAME_SAMPLES - len(samples)))
    low, high = PITCH_RANGE_HZ
    rough, times = pyworld.dio(padded, SAMPLE_RATE_HZ, f0_floor=low, f0_ceil=high)
    pitch = pyworld.stonemask(padded, rough, times, SAMPLE_RATE_HZ)
    envelope = pyworld.cheaptrick(padded, pitch, times, SAMPLE_RATE_HZ)
    noise = _noise(padded, pitch, times)
    return synthesise(envelope, noise, np.full(frames, round(pitch_hz * FRAME_S)))


def _noise(samples: FloatArray, pitch: FloatArray, times: FloatArray) -> FloatArray:
    """Return the share of noise at each time, [times, bins].

    D4C takes most of the teacher's time, and what it finds changes slowly: it looks at one point in four.
    """
    import pyworld

    at = np.arange(0, len(times), NOISE_EVERY)
    # A point without pitch stands for the voiced ones that follow it.
    near = np.maximum.reduceat(pitch, at)
    few = pyworld.d4c(samples, np.where(pitch[at] > 0, pitch[at], near), times[at], SAMPLE_RATE_HZ)
    place = np.minimum(np.arange(len(times)) / NOISE_EVERY, len(at) - 1)
    left = place.astype(np.int64)
    share = (place - left)[:, None]
    noise = (1 - share) * few[left] + share * few[np.minimum(left + 1, len(at) - 1)]
    noise[pitch == 0] = 1.0
    return np.asarray(noise)


def teach(corpus: Corpus, numbers: range, pitch_hz: float) -> npt.NDArray[np.int16]:
    """Return some utterances, [2, N]: as spoken, and on one note."""
    utterances = [corpus.utterance(number) for number in numbers]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        pairs = list(pool.map(_pair, utterances, [pitch_hz] * len(utterances), chunksize=16))
    return np.concatenate(pairs, axis=1)


def taught(folder: Path, voice: str, corpus: Corpus) -> Iterator[tuple[int, npt.NDArray[np.int16]]]:
    """Yield the number of each utterance that was taught, and its samples [2, frames * 1920]."""
    for file in sorted(folder.glob(f"{voice}_*.npy")):
        pairs, start = np.load(file, mmap_mode="r"), 0
        first = int(file.stem.rpartition("_")[2])
        for number in range(first, min(first + SHARD, len(corpus.texts))):
            end = start + whole_frames(len(corpus.utterance(number))) * FRAME_SAMPLES
            yield number, pairs[:, start:end]
            start = end


def whole_frames(samples: int) -> int:
    """Return how many frames hold some samples."""
    return -(-samples // FRAME_SAMPLES)


def _pair(samples: npt.NDArray[np.int16], pitch_hz: float) -> npt.NDArray[np.int16]:
    locked = lock_pitch(samples / 32768, pitch_hz)
    spoken = np.pad(samples, (0, len(locked) - len(samples)))
    return np.stack([spoken, (np.clip(locked, -1, 1) * 32767).astype(np.int16)])


def main() -> None:
    """Parse the command line and make what is missing."""
    args = stage_parser(__doc__).parse_args()
    settings = VoiceSettings.read(args.settings).corpus
    folder: Path = args.work / "teacher"
    folder.mkdir(exist_ok=True)
    for voice, pitch_hz in zip(settings.voices, settings.pitches_hz, strict=True):
        corpus = Corpus.open(args.work / "corpus" / voice)
        for first in range(0, len(corpus.texts), SHARD):
            file = folder / f"{voice}_{first:05}.npy"
            if not file.exists():
                numbers = range(first, min(first + SHARD, len(corpus.texts)))
                np.save(file.with_suffix(".part"), teach(corpus, numbers, pitch_hz))
                file.with_suffix(".part.npy").rename(file)
        print(f"{voice}: {len(corpus.texts)} utterances", flush=True)


if __name__ == "__main__":
    main()
