"""How well the codec carries speech: word error rate and mel distance at each number of codebooks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from moss_stream.codec.load import load_cat
from moss_stream.config import EngineOptions
from training.flite import Flite
from training.losses import SpectralLoss
from training.recognise import Recogniser, error_rate
from training.report import Results
from training.settings import VoiceSettings

__all__ = ["evaluate"]

CPU = torch.device("cpu")


def evaluate(work: Path, settings: VoiceSettings, count: int) -> Results:
    """Return WER and mel distance of the original and of each number of codebooks."""
    codec = load_cat(work / "codec" / "export", CPU, EngineOptions())
    loss, recogniser, flite = SpectralLoss(), Recogniser(), Flite(work / "root")
    texts = json.loads((work / "corpus" / "evaluation.json").read_text())[:count]
    voices = settings.corpus.voices
    spoken = [flite.speak(voices[i % len(voices)], text).samples for i, text in enumerate(texts)]
    waves = [torch.from_numpy(samples.astype(np.float32) / 32768) for samples in spoken]
    heard = [recogniser.words(samples) for samples in spoken]
    results: Results = {"codec, original": {"wer": error_rate(zip(texts, heard, strict=True))}}
    codes = [codec.encode(wave) for wave in waves]
    for k in range(1, settings.codec.num_codebooks + 1):
        made = [_decode(codec.decoder, code[:, :k]) for code in codes]
        pairs = zip(made, waves, strict=True)
        distance = np.mean([float(loss(m[None], w[None, : len(m)])[1]["mel"]) for m, w in pairs])
        heard = [recogniser.words((m.clamp(-1, 1) * 32767).numpy().astype(np.int16)) for m in made]
        results[f"codec, K={k}"] = {"wer": error_rate(zip(texts, heard, strict=True)), "mel": float(distance)}
    return results


@torch.inference_mode()
def _decode(decoder: torch.nn.Module, codes: Tensor) -> Tensor:
    state = decoder.new_state(max_frames=25)  # type: ignore[operator]
    return torch.cat([decoder(part[None], state) for part in codes.split(25)], dim=1)[0]
