"""Encode what the teacher made of the corpus with the trained codec, by the package's own encoder.

    python -m training.encode WORK [--settings training/voice.toml] [--device auto]

Writes WORK/codes/VOICE.npz; a voice that is there is not encoded again.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from moss_stream.audio import FRAME_S
from moss_stream.config import EngineOptions
from moss_stream.engine.device import choose_device
from moss_stream.models.cat import Cat
from moss_stream.models.checkpoint import load_cat
from training.command import stage_parser
from training.corpus import Corpus
from training.examples import Utterance
from training.flite import Span
from training.settings import VoiceSettings
from training.teacher import taught

__all__ = ["encode", "places", "read_codes"]


def encode(teacher: Path, voice: str, corpus: Corpus, codec: Cat, device: torch.device) -> list[Utterance]:
    """Return each sentence of a voice with the codes of its frames, with locked pitch."""
    utterances = []
    for number, pair in taught(teacher, voice, corpus):
        wave = torch.from_numpy(pair[1].astype(np.float32) / 32768).to(device)
        codes = codec.encode(wave).cpu().numpy()
        where = places(corpus.spans[number], len(codes))
        utterances.append(Utterance(corpus.texts[number], codes, where))
    return utterances


def places(spans: list[Span], frames: int) -> npt.NDArray[np.float64]:
    """Return where in the text the voice is in the middle of each frame, in characters; [frames]."""
    if not spans:
        return np.zeros(frames)
    middles_s = (np.arange(frames) + 0.5) * FRAME_S
    times_s = [time for span in spans for time in (span.start_s, span.end_s)]
    characters = [character for span in spans for character in (span.char_start, span.char_end)]
    return np.asarray(np.interp(middles_s, times_s, characters))


def write_codes(utterances: list[Utterance], file: Path) -> None:
    """Write utterances to one file."""
    part = file.with_suffix(".part.npz")
    np.savez(
        part,
        codes=np.concatenate([utterance.codes for utterance in utterances]).astype(np.int16),
        places=np.concatenate([utterance.places for utterance in utterances]).astype(np.float32),
        lengths=np.array([len(utterance.codes) for utterance in utterances]),
        texts=np.frombuffer(json.dumps([u.text for u in utterances]).encode(), dtype=np.uint8),
    )
    part.rename(file)


def read_codes(file: Path) -> list[Utterance]:
    """Read what `write_codes` wrote."""
    data = np.load(file)
    texts = json.loads(data["texts"].tobytes())
    borders = np.cumsum(data["lengths"])[:-1]
    codes = np.split(data["codes"].astype(np.int64), borders)
    places = np.split(data["places"].astype(np.float64), borders)
    return [Utterance(*parts) for parts in zip(texts, codes, places, strict=True)]


def main() -> None:
    """Parse the command line and encode."""
    parser = stage_parser(__doc__)
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    device = choose_device(args.device)
    codec = load_cat(args.work / "codec" / "export", device, EngineOptions())
    (args.work / "codes").mkdir(exist_ok=True)
    for voice in VoiceSettings.read(args.settings).corpus.voices:
        file = args.work / "codes" / f"{voice}.npz"
        if not file.exists():
            corpus = Corpus.open(args.work / "corpus" / voice)
            write_codes(encode(args.work / "teacher", voice, corpus, codec, device), file)
            print(f"{voice}: encoded", flush=True)


if __name__ == "__main__":
    main()
