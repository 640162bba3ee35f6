"""The golden MOSS-TTS-Realtime checkpoint, and a codec that fits it."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from golden_data import CPU, GOLDEN, expected
from safetensors.torch import load_file, save_file

from moss_stream.config import ChannelSampling, EngineOptions, SamplingOptions, SynthesisOptions
from moss_stream.engine.generator import FrameGenerator
from moss_stream.engine.load import load_engine
from moss_stream.engine.speech_engine import SpeechEngine
from moss_stream.families.realtime.load import load_realtime
from moss_stream.families.realtime.network import MossTTSRealtime
from moss_stream.families.realtime.prompt import RealtimePrompts
from moss_stream.families.tokenizer import ChatTokenizer
from moss_stream.text.message import Codes, Heard

FOLDER = GOLDEN / "realtime"
LONG = "Hello, how are you today my good friend of the era?"
"""What the user says in the golden prompt `voice_user_turn`."""


def codes(name: str) -> Codes:
    """Golden codes: "voice" or "user"."""
    return np.asarray(expected("realtime")[f"{name}.codes"].numpy(), dtype=np.int64)


@cache
def case_list() -> list[dict[str, Any]]:
    """The golden runs."""
    found: list[dict[str, Any]] = json.loads((FOLDER / "cases.json").read_text(encoding="utf-8"))["cases"]
    return found


@cache
def model() -> MossTTSRealtime:
    """The golden model in float32."""
    return load_realtime(FOLDER, CPU, torch.float32, EngineOptions())


def prompts(max_rows: int = 4000) -> RealtimePrompts:
    """A builder with the golden tokenizer."""
    return RealtimePrompts(model().config, ChatTokenizer(FOLDER), max_rows)


def greedy(repetition_penalty: float | None = None, **options: Any) -> SynthesisOptions:
    """Options that take the most likely code."""
    audio = ChannelSampling(temperature=0.0, repetition_penalty=repetition_penalty or 1.0)
    return SynthesisOptions(sampling=SamplingOptions(audio=audio), **options)


def generator(max_context: int = 512, **options: Any) -> FrameGenerator:
    """A generator on the golden model."""
    return FrameGenerator(model(), EngineOptions(max_context=max_context, **options))


def run_prompt(made: FrameGenerator, slot: int) -> None:
    """Run what is there of a slot's prompt."""
    while not made.is_run(slot):
        made.prefill(slot)


def step(made: FrameGenerator, slots: Sequence[int]) -> list[Codes]:
    """Make a frame of each of some streams."""
    rows = made.step(slots).rows.cpu().numpy()
    frames = [rows[slot, 1:].copy() for slot in slots]
    for slot, frame in zip(slots, frames, strict=True):
        made.made(slot, frame)
    return frames


@cache
def codec_folder() -> Path:
    """A folder with the golden codec, its codebooks made as large as this model's."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    config = json.loads((GOLDEN / "cat" / "config.json").read_text(encoding="utf-8"))
    config["quantizer_kwargs"]["codebook_size"] = 1024
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    weights = load_file(GOLDEN / "cat" / "model.safetensors")
    noise = torch.Generator().manual_seed(0)
    for name, tensor in weights.items():
        if name.endswith("codebook.weight"):
            wide = tensor.repeat(16, 1)
            weights[name] = wide + 0.1 * torch.randn(wide.shape, generator=noise)
    save_file(weights, folder / "model.safetensors")
    return folder


def engine(**options: Any) -> SpeechEngine:
    """The golden model and its codec behind the engine protocol."""
    return load_engine(FOLDER, codec_folder(), "cpu", "float32", EngineOptions(**options))


def heard(text: str = LONG) -> Heard:
    """A turn of the user, with sound."""
    return Heard(text, codes("user"))
