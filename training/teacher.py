"""The teacher of the codec: every utterance again, with its pitch locked to a grid.

    python -m training.teacher WORK [--settings training/voice.toml]

What a small codec learns slowest is where in a period the voice is when a patch of samples begins. So the
pitch becomes a multiple of a step: at 100 Hz, the patch rate, every patch begins at the same phase, and
there is nothing left to learn. It costs the intonation; each voice keeps its register. Analysis and
synthesis are WORLD's (M. Morise et al., "WORLD: a vocoder-based high-quality speech synthesis system for
real-time applications", 2016).

Writes WORK/teacher/VOICE.npy, int16 [2, N]: the utterances as spoken and as the codec shall reproduce
them, each padded to whole frames; a voice that is there is not made again.
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moss_stream.audio import FRAME_SAMPLES, SAMPLE_RATE_HZ
from training.command import stage_parser
from training.corpus import Corpus
from training.settings import CorpusSettings, VoiceSettings

__all__ = ["lock_pitch", "teach"]

FloatArray = npt.NDArray[np.float64]
POINTS = 16
"""Analysis points (every 5 ms) of a frame."""
HYSTERESIS = 0.6
"""The pitch changes when it is further than this many steps from the last one: no flutter."""
PITCH_RANGE_HZ = (60.0, 320.0)


def lock_pitch(samples: FloatArray, step_hz: float) -> FloatArray:
    """Return 24 kHz samples spoken again with pitches that are multiples of a step, padded to frames."""
    import pyworld  # needs a compiler to install, and only this function needs it

    frames = -(-len(samples) // FRAME_SAMPLES)
    padded = np.pad(samples, (0, frames * FRAME_SAMPLES - len(samples)))
    low, high = PITCH_RANGE_HZ
    rough, times = pyworld.dio(padded, SAMPLE_RATE_HZ, f0_floor=low, f0_ceil=high)
    pitch = pyworld.stonemask(padded, rough, times, SAMPLE_RATE_HZ)
    envelope = pyworld.cheaptrick(padded, pitch, times, SAMPLE_RATE_HZ)
    noise = pyworld.d4c(padded, pitch, times, SAMPLE_RATE_HZ)
    # Pulses run on through unvoiced stretches, as noise alone, so that the grid is never lost.
    noise[pitch == 0] = 1.0
    made = pyworld.synthesize(locked_contour(pitch, step_hz), envelope, noise, SAMPLE_RATE_HZ)
    return np.asarray(np.pad(made, (0, FRAME_SAMPLES))[: len(padded)])


def locked_contour(pitch: FloatArray, step_hz: float) -> FloatArray:
    """Return a contour of multiples of a step, frame by frame, from one that is 0 where unvoiced."""
    voiced = np.flatnonzero(pitch)
    if not len(voiced):
        return np.full(len(pitch), step_hz)
    smooth = np.interp(np.arange(len(pitch)), voiced, pitch[voiced])
    locked, steps = smooth.copy(), 0
    for start in range(0, len(pitch), POINTS):
        wanted = float(np.median(smooth[start : start + POINTS])) / step_hz
        if abs(wanted - steps) > HYSTERESIS:
            steps = max(1, round(wanted))
        locked[start : start + POINTS] = steps * step_hz
    return locked


def teach(corpus: Corpus, settings: CorpusSettings) -> npt.NDArray[np.int16]:
    """Return the beginning of a corpus, [2, N]: as spoken, and with locked pitch."""
    count = int(np.searchsorted(corpus.starts, settings.teacher_hours * 3600 * SAMPLE_RATE_HZ))
    utterances = [corpus.utterance(index) for index in range(min(count, len(corpus.texts)))]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        return np.concatenate(
            list(pool.map(_pair, utterances, [settings.pitch_step_hz] * count, chunksize=16)), axis=1
        )


def _pair(samples: npt.NDArray[np.int16], step_hz: float) -> npt.NDArray[np.int16]:
    locked = lock_pitch(samples / 32768, step_hz)
    spoken = np.pad(samples, (0, len(locked) - len(samples)))
    return np.stack([spoken, (np.clip(locked, -1, 1) * 32767).astype(np.int16)])


def main() -> None:
    """Parse the command line and make what is missing."""
    args = stage_parser(__doc__).parse_args()
    settings = VoiceSettings.read(args.settings).corpus
    folder: Path = args.work / "teacher"
    folder.mkdir(exist_ok=True)
    for voice in settings.voices:
        file = folder / f"{voice}.npy"
        if not file.exists():
            pairs = teach(Corpus.open(args.work / "corpus" / voice), settings)
            np.save(file.with_suffix(".part.npy"), pairs)
            file.with_suffix(".part.npy").rename(file)
            print(f"{voice}: {pairs.shape[1] / SAMPLE_RATE_HZ / 3600:.2f} h", flush=True)


if __name__ == "__main__":
    main()
