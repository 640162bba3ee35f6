"""The corpus: sentences spoken by flite, as 24 kHz PCM in one file for each voice.

    python -m training.corpus WORK [--settings training/voice.toml] [--debs FOLDER]

Resumable: a shard that is complete is not made again.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moss_stream.audio import SAMPLE_RATE_HZ, read_mono
from training.command import stage_parser
from training.packages import unpack
from training.settings import VoiceSettings
from training.text import held_out, number_texts, sentences, short_texts

__all__ = ["Corpus", "Flite", "build"]

SHARD = 500
"""Sentences of a shard."""
CHARS_PER_S = 14.0
"""About how many characters flite speaks in a second, to choose how many sentences make an hour."""


class Flite:
    """Runs flite from an unpacked package."""

    def __init__(self, root: Path) -> None:
        self._program = root / "usr/bin/flite"
        libraries = next((root / "usr/lib").glob("*-linux-gnu*"))
        self._environment = {**os.environ, "LD_LIBRARY_PATH": str(libraries)}

    def speak(self, voice: str, text: str) -> npt.NDArray[np.int16]:
        """Return `text` spoken by `voice` at 24 kHz."""
        command = [str(self._program), "-voice", voice, "-t", text, "-o", "/dev/stdout"]
        wav = subprocess.run(command, env=self._environment, capture_output=True, check=True).stdout
        samples = read_mono(_with_sizes(wav))
        return (np.clip(samples, -1, 1) * 32767).astype(np.int16)


def _with_sizes(wav: bytes) -> bytes:
    """Write the sizes into a WAV header: flite cannot seek back on a pipe."""
    return (
        wav[:4]
        + (len(wav) - 8).to_bytes(4, "little")
        + wav[8:40]
        + (len(wav) - 44).to_bytes(4, "little")
        + wav[44:]
    )


@dataclass(frozen=True)
class Corpus:
    """The utterances of one voice: their texts, and where their samples are in one array."""

    texts: list[str]
    starts: npt.NDArray[np.int64]
    """[N + 1]: utterance i is samples[starts[i] : starts[i + 1]]."""
    samples: npt.NDArray[np.int16]

    @classmethod
    def open(cls, folder: Path) -> Corpus:
        """Open all shards of a voice."""
        shards = sorted(folder.glob("*.npy"))
        texts = [
            text for shard in shards for text in json.loads(shard.with_suffix(".json").read_text())["texts"]
        ]
        lengths = [
            n for shard in shards for n in json.loads(shard.with_suffix(".json").read_text())["lengths"]
        ]
        samples = np.concatenate([np.load(shard) for shard in shards])
        return cls(texts, np.concatenate([[0], np.cumsum(lengths)]), samples)


def build(work: Path, settings: VoiceSettings, debs: Path | None = None) -> None:
    """Make the corpus in `work`/corpus, one folder for each voice."""
    root = unpack(work, debs)
    options = settings.corpus
    train, evaluation = held_out(sentences(root, options.seed), options.held_out)
    (work / "corpus").mkdir(exist_ok=True)
    (work / "corpus" / "evaluation.json").write_text(json.dumps(evaluation, indent=0))
    flite = Flite(root)
    per_voice = len(train) // len(options.voices)
    for index, voice in enumerate(options.voices):
        texts = _hours(train[index * per_voice : (index + 1) * per_voice], options.hours_per_voice)
        extra, seed = len(texts) // 12, options.seed + 1 + index
        texts += short_texts(root, seed, extra) + number_texts(seed, extra)
        folder = work / "corpus" / voice
        folder.mkdir(exist_ok=True)
        for number in range(0, len(texts), SHARD):
            _shard(flite, voice, texts[number : number + SHARD], folder / f"{number // SHARD:04}")
        print(f"{voice}: {len(texts)} sentences", flush=True)


def _hours(texts: Iterable[str], hours: float) -> list[str]:
    chosen, seconds = [], 0.0
    for text in texts:
        if seconds > hours * 3600:
            break
        chosen.append(text)
        seconds += len(text) / CHARS_PER_S
    return chosen


def _shard(flite: Flite, voice: str, texts: list[str], path: Path) -> None:
    if path.with_suffix(".npy").exists():
        return
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        spoken = list(pool.map(lambda text: flite.speak(voice, text), texts))
    index = {"texts": texts, "lengths": [len(samples) for samples in spoken], "sample_rate": SAMPLE_RATE_HZ}
    path.with_suffix(".json").write_text(json.dumps(index))
    # Written last and by a rename: a shard that is there is whole.
    buffer = io.BytesIO()
    np.save(buffer, np.concatenate(spoken))
    path.with_suffix(".part").write_bytes(buffer.getvalue())
    path.with_suffix(".part").rename(path.with_suffix(".npy"))


def main() -> None:
    """Parse the command line and build."""
    parser = stage_parser(__doc__)
    parser.add_argument("--debs", type=Path)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    build(args.work, VoiceSettings.read(args.settings), args.debs)


if __name__ == "__main__":
    main()
