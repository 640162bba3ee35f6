"""The corpus: sentences spoken by flite, as 24 kHz PCM, with the time of every word.

    python -m training.corpus WORK [--settings training/voice.toml] [--debs FOLDER]

Resumable: a shard that is complete is not made again.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moss_stream.audio import SAMPLE_RATE_HZ
from training.command import stage_parser
from training.flite import Flite, Span, Spoken
from training.packages import unpack
from training.settings import CorpusSettings, VoiceSettings
from training.text import held_out, number_texts, sentences, short_texts

__all__ = ["Corpus", "build", "speak", "texts_of_voices"]

SHARD = 500
"""Sentences of a shard."""
CHARS_PER_S = 14.0
"""About how many characters flite speaks in a second, to choose how many sentences make an hour."""


@dataclass(frozen=True)
class Corpus:
    """The utterances of one voice: texts, when their words are spoken, and their samples in one array."""

    texts: list[str]
    spans: list[list[Span]]
    starts: npt.NDArray[np.int64]
    """[N + 1]: utterance i is samples[starts[i] : starts[i + 1]]."""
    samples: npt.NDArray[np.int16]

    @classmethod
    def open(cls, folder: Path) -> Corpus:
        """Open all shards of a voice."""
        shards = sorted(folder.glob("*.npy"))
        indices = [json.loads(shard.with_suffix(".json").read_text()) for shard in shards]
        return cls(
            texts=[text for index in indices for text in index["texts"]],
            spans=[[Span(*span) for span in spans] for index in indices for spans in index["spans"]],
            starts=np.concatenate([[0], np.cumsum([n for index in indices for n in index["lengths"]])]),
            samples=np.concatenate([np.load(shard) for shard in shards]),
        )

    def utterance(self, index: int) -> npt.NDArray[np.int16]:
        """Return the samples of one utterance."""
        return self.samples[self.starts[index] : self.starts[index + 1]]


def build(work: Path, settings: VoiceSettings, debs: Path | None = None) -> None:
    """Make the corpus in `work`/corpus, one folder for each voice."""
    root = unpack(work, debs)
    options = settings.corpus
    _, evaluation = held_out(sentences(root, options.seed), options.held_out)
    (work / "corpus").mkdir(exist_ok=True)
    (work / "corpus" / "evaluation.json").write_text(json.dumps(evaluation, indent=0))
    for voice, texts in texts_of_voices(root, options, options.hours_per_voice).items():
        folder = work / "corpus" / voice
        folder.mkdir(exist_ok=True)
        for number in range(0, len(texts), SHARD):
            _shard(root, voice, texts[number : number + SHARD], folder / f"{number // SHARD:04}")
        print(f"{voice}: {len(texts)} sentences", flush=True)


def texts_of_voices(root: Path, options: CorpusSettings, hours: float) -> dict[str, list[str]]:
    """Return what each voice speaks: other sentences than the others, short utterances and numbers."""
    train, _ = held_out(sentences(root, options.seed), options.held_out)
    per_voice = len(train) // len(options.voices)
    texts = {}
    for index, voice in enumerate(options.voices):
        own = _hours(train[index * per_voice : (index + 1) * per_voice], hours)
        extra, seed = len(own) // 12, options.seed + 1 + index
        texts[voice] = own + short_texts(root, seed, extra) + number_texts(seed, extra)
    return texts


def _hours(texts: Iterable[str], hours: float) -> list[str]:
    chosen, seconds = [], 0.0
    for text in texts:
        if seconds > hours * 3600:
            break
        chosen.append(text)
        seconds += len(text) / CHARS_PER_S
    return chosen


def _shard(root: Path, voice: str, texts: list[str], path: Path) -> None:
    if path.with_suffix(".npy").exists():
        return
    # flite is not made for threads; a process each speaks its share.
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        spoken = list(pool.map(speak, [root] * len(texts), [voice] * len(texts), texts, chunksize=20))
    index = {
        "texts": texts,
        "spans": [[astuple(span) for span in utterance.spans] for utterance in spoken],
        "lengths": [len(utterance.samples) for utterance in spoken],
        "sample_rate": SAMPLE_RATE_HZ,
    }
    path.with_suffix(".json").write_text(json.dumps(index))
    # Written last and by a rename: a shard that is there is whole.
    buffer = io.BytesIO()
    np.save(buffer, np.concatenate([utterance.samples for utterance in spoken]))
    path.with_suffix(".part").write_bytes(buffer.getvalue())
    path.with_suffix(".part").rename(path.with_suffix(".npy"))


def speak(root: Path, voice: str, text: str) -> Spoken:
    """Return `text` spoken by flite, without long silences; to be called in processes of a pool."""
    return _flite(root).speak(voice, text).trimmed()


@cache
def _flite(root: Path) -> Flite:
    return Flite(root)


def main() -> None:
    """Parse the command line and build."""
    parser = stage_parser(__doc__)
    parser.add_argument("--debs", type=Path)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    build(args.work, VoiceSettings.read(args.settings), args.debs)


if __name__ == "__main__":
    main()
