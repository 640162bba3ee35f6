"""What the speech model learns: sentences spoken by flite, on one note, as the codec's codes.

    python -m training.encode WORK [--settings training/voice.toml] [--device auto]

A speech model of this size learns sentences by heart before it has learned to read, unless there are many
more than the codec needs, so their audio is not kept. Writes WORK/codes/VOICE_NUMBER.npz, the utterances
from NUMBER on; a file that is there is not made again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from moss_stream.audio import FRAME_S
from moss_stream.codec.cat import Cat
from moss_stream.codec.load import load_cat
from moss_stream.config import EngineOptions
from moss_stream.engine.device import choose_device
from training.command import stage_parser
from training.corpus import speak, texts_of_voices
from training.examples import PHONES_OF_FRAME, Utterance
from training.flite import Phone, Span, Spoken
from training.settings import VoiceSettings
from training.teacher import lock_pitch

__all__ = ["Taught", "encode", "phones", "places", "read_codes", "write_codes"]

SHARD = 500
"""Sentences of a file."""
Taught = tuple[str, Spoken, npt.NDArray[np.float32]]
"""A text, how flite speaks it, and the samples of whole frames on one note."""


def encode(taught: Iterable[Taught], codec: Cat, device: torch.device) -> list[Utterance]:
    """Return sentences with the codes of their frames."""
    utterances = []
    for text, spoken, samples in taught:
        codes = codec.encode(torch.from_numpy(samples).to(device)).cpu().numpy()
        frames = len(codes)
        utterances.append(Utterance(text, codes, places(spoken.spans, frames), phones(spoken.phones, frames)))
    return utterances


def places(spans: list[Span], frames: int) -> npt.NDArray[np.float64]:
    """Return where in the text the voice is in the middle of each frame, in characters; [frames]."""
    if not spans:
        return np.zeros(frames)
    middles_s = (np.arange(frames) + 0.5) * FRAME_S
    times_s = [time for span in spans for time in (span.start_s, span.end_s)]
    characters = [character for span in spans for character in (span.char_start, span.char_end)]
    return np.asarray(np.interp(middles_s, times_s, characters))


def phones(spoken: list[Phone], frames: int) -> npt.NDArray[np.int64]:
    """Return the phone in the middle of each third of each frame; [frames, 3]."""
    if not spoken:
        return np.zeros((frames, PHONES_OF_FRAME), dtype=np.int64)
    times_s = (np.arange(frames * PHONES_OF_FRAME) + 0.5) * FRAME_S / PHONES_OF_FRAME
    at = np.searchsorted([phone.end_s for phone in spoken], times_s)
    indices = np.array([phone.index for phone in spoken], dtype=np.int64)
    return indices[np.minimum(at, len(spoken) - 1)].reshape(frames, PHONES_OF_FRAME)


def write_codes(utterances: list[Utterance], file: Path) -> None:
    """Write utterances to one file."""
    part = file.with_suffix(".part.npz")
    np.savez(
        part,
        codes=np.concatenate([utterance.codes for utterance in utterances]).astype(np.int16),
        places=np.concatenate([utterance.places for utterance in utterances]).astype(np.float32),
        phones=np.concatenate([utterance.phones for utterance in utterances]).astype(np.int8),
        lengths=np.array([len(utterance.codes) for utterance in utterances]),
        texts=np.frombuffer(json.dumps([u.text for u in utterances]).encode(), dtype=np.uint8),
    )
    part.rename(file)


def read_codes(folder: Path, voice: str) -> list[Utterance]:
    """Read all files of a voice that `write_codes` wrote."""
    utterances = []
    for file in sorted(folder.glob(f"{voice}_*.npz")):
        data = np.load(file)
        texts = json.loads(data["texts"].tobytes())
        borders = np.cumsum(data["lengths"])[:-1]
        columns = [
            np.split(data[name].astype(kind), borders)
            for name, kind in (("codes", np.int64), ("places", np.float64), ("phones", np.int64))
        ]
        utterances += [Utterance(*parts) for parts in zip(texts, *columns, strict=True)]
    return utterances


def _teach(root: Path, voice: str, pitch_hz: float, text: str) -> Taught:
    spoken = speak(root, voice, text)
    locked = lock_pitch(spoken.samples / 32768, pitch_hz)
    return text, spoken, np.clip(locked, -1, 1).astype(np.float32)


def main() -> None:
    """Parse the command line and encode."""
    parser = stage_parser(__doc__)
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    device, settings = choose_device(args.device), VoiceSettings.read(args.settings)
    codec = load_cat(args.work / "codec" / "export", device, EngineOptions())
    folder, root = args.work / "codes", args.work / "root"
    folder.mkdir(exist_ok=True)
    texts = texts_of_voices(root, settings.corpus, settings.speech.hours_per_voice)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for voice, pitch_hz in zip(settings.corpus.voices, settings.corpus.pitches_hz, strict=True):
            for first in range(0, len(texts[voice]), SHARD):
                file = folder / f"{voice}_{first:05}.npz"
                if not file.exists():
                    some = texts[voice][first : first + SHARD]
                    same = [root] * len(some), [voice] * len(some), [pitch_hz] * len(some)
                    write_codes(encode(pool.map(_teach, *same, some, chunksize=8), codec, device), file)
            print(f"{voice}: {len(texts[voice])} sentences encoded", flush=True)


if __name__ == "__main__":
    main()
