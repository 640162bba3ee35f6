"""Put the trained checkpoints into the package, in float16, with their voices and the model card.

    python -m training.package WORK [--settings training/voice.toml] [--to moss_stream/assets/embedded]

The figures of the card are those of WORK/evaluation.json; evaluate first, or again and package again.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from moss_stream.codec.cat import Cat
from moss_stream.codec.load import load_cat
from moss_stream.config import ChannelSampling, EngineOptions, SamplingOptions
from moss_stream.engine.defaults import SAMPLING_FILE
from moss_stream.voices import VOICES_FILE
from training.card import model_card
from training.command import stage_parser
from training.export import write_shards
from training.flite import Flite
from training.settings import CorpusSettings, VoiceSettings
from training.teacher import lock_pitch

__all__ = ["package"]

VOICE_TEXT = "The quick brown fox jumps over the lazy dog, and then it sleeps in the warm sun."
"""What the packaged recordings of the voices say."""
SAMPLING = SamplingOptions(
    text=ChannelSampling(temperature=1.0), audio=ChannelSampling(temperature=0.35, top_p=0.9, top_k=50)
)
"""A small model is less sure than a large one: what it thinks unlikely is better left out."""
HISTORY_S = 4.0
"""Examples hold two sentences; with more before it the model skips some (WER 1.08 against 0.41)."""
VOICES = {
    "rms": "a man, American English; the default",
    "slt": "a woman, American English",
    "awb": "a man, Scottish English",
}


def package(work: Path, target: Path, settings: VoiceSettings) -> None:
    """Write the folder `target` anew."""
    shutil.rmtree(target, ignore_errors=True)
    (target / "codec").mkdir(parents=True)
    for source, folder in ((work / "speech/export", target), (work / "codec/export", target / "codec")):
        write_shards(load_file(source / "model.safetensors"), folder)
        for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
            if (source / name).is_file():
                shutil.copy(source / name, folder / name)
    processor = {"audio_tokenizer_name_or_path": "codec"}
    (target / "processor_config.json").write_text(json.dumps(processor, indent=2), encoding="utf-8")
    codec = load_cat(target / "codec", torch.device("cpu"), EngineOptions())
    voices = packaged_voices(codec, Flite(work / "root"), settings.corpus)
    (target / VOICES_FILE).write_text(json.dumps(voices), encoding="utf-8")
    defaults = {**SAMPLING.model_dump(), "history_s": HISTORY_S, "reads_phonetics": False}
    (target / SAMPLING_FILE).write_text(json.dumps(defaults, indent=2), encoding="utf-8")
    (target / "README.md").write_text(model_card(work, settings), encoding="utf-8")


def packaged_voices(codec: Cat, flite: Flite, settings: CorpusSettings) -> dict[str, dict[str, object]]:
    """Return the content of voices.json: each voice's description and the codes of a recording."""
    voices: dict[str, dict[str, object]] = {}
    for name, pitch_hz in zip(settings.voices, settings.pitches_hz, strict=True):
        samples = flite.speak(name, VOICE_TEXT).trimmed().samples
        locked = lock_pitch(samples / 32768, pitch_hz)  # as everything that the model has heard
        codes = codec.encode(torch.from_numpy(locked.astype(np.float32)))
        voices[name] = {"description": VOICES[name], "codes": codes.tolist()}
    return voices


def main() -> None:
    """Parse the command line and package."""
    parser = stage_parser(__doc__)
    default = Path(__file__).parent.parent / "moss_stream" / "assets" / "embedded"
    parser.add_argument("--to", type=Path, default=default)
    args = parser.parse_args()
    package(args.work, args.to, VoiceSettings.read(args.settings))
    size = sum(file.stat().st_size for file in args.to.rglob("*") if file.is_file())
    print(f"{args.to}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
