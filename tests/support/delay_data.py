"""The golden MossTTSDelay checkpoints and the reference implementation's outputs on them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from golden_data import CPU, GOLDEN, expected

from moss_stream.config import ChannelSampling, EngineOptions, SamplingOptions, SynthesisOptions
from moss_stream.engine.generator import FrameGenerator
from moss_stream.engine.load import load_engine
from moss_stream.engine.protocol import Frame, FrameKind
from moss_stream.engine.speech_engine import SpeechEngine
from moss_stream.families.delay.load import load_delay
from moss_stream.families.delay.network import MossTTSDelay
from moss_stream.families.delay.prompt import DelayPrompts
from moss_stream.families.tokenizer import ChatTokenizer
from moss_stream.text.message import Codes, Message

GREEDY = SamplingOptions(text=ChannelSampling(temperature=0.0), audio=ChannelSampling(temperature=0.0))
PENALISED = SamplingOptions(
    text=ChannelSampling(top_k=1),
    audio=ChannelSampling(top_p=0.95, top_k=1, repetition_penalty=1.3),
)
WAYS = {"greedy": GREEDY, "topk1_rp1.3": PENALISED}
"""How the golden rows were sampled."""


@dataclass(frozen=True)
class DelayCase:
    """A golden run: "delay" or "delay_half", and the message."""

    kind: str
    name: str
    message: Message
    prefix: Codes | None
    raw: dict[str, Any]


@cache
def case_list() -> list[DelayCase]:
    """The golden runs of both checkpoints."""
    found = []
    for kind in ("delay", "delay_half"):
        golden = json.loads((GOLDEN / kind / "cases.json").read_text(encoding="utf-8"))
        for raw in golden["cases"]:
            fields = {name: value for name, value in raw["message"].items() if name != "assistant_content"}
            prefix, reference = fields.pop("prefix", None), fields.pop("reference", None)
            voices = None if reference is None else [codes(kind, name) for name in reference]
            whole = None if prefix is None else np.concatenate([_given(kind, name) for name in prefix])
            found.append(DelayCase(kind, raw["name"], Message(**fields, reference=voices), whole, raw))
    return found


def case(name: str, kind: str = "delay") -> DelayCase:
    """A golden run."""
    return next(each for each in case_list() if (each.kind, each.name) == (kind, name))


def codes(kind: str, name: str | None) -> Codes | None:
    """Golden codes that a case names."""
    return None if name is None else _given(kind, name)


def _given(kind: str, name: str) -> Codes:
    return np.asarray(expected(kind)[f"codes.{name}"].numpy(), dtype=np.int64)


@cache
def model(kind: str = "delay") -> MossTTSDelay:
    """A golden model in float32."""
    return load_delay(GOLDEN / kind, CPU, torch.float32, EngineOptions())


def prompts(kind: str = "delay") -> DelayPrompts:
    """A builder with the golden tokenizer."""
    return DelayPrompts(model(kind).config, ChatTokenizer(GOLDEN / kind))


def generator(kind: str = "delay", max_context: int = 512, **options: Any) -> FrameGenerator:
    """A generator on a golden model."""
    return FrameGenerator(model(kind), EngineOptions(max_context=max_context, **options))


def engine(kind: str = "delay", device: str = "cpu", **options: Any) -> SpeechEngine:
    """A golden model and the golden codec behind the engine protocol."""
    return load_engine(GOLDEN / kind, GOLDEN / "cat", device, "float32", EngineOptions(**options))


def begin(made: SpeechEngine, slot: int, which: DelayCase, **options: Any) -> None:
    """Start a golden run in a slot, and run its prompt."""
    made.open(slot, SynthesisOptions(**{"sampling": GREEDY, **options}))
    made.begin(slot, made.prompt(which.message, which.prefix))
    while not made.prefill(slot):
        pass


def whole_codes(frames: Sequence[Frame]) -> Codes:
    """The codes of the frames that became whole, [T, Nq]."""
    found = [frame.codes for frame in frames if frame.is_whole]
    return np.stack(found) if found else np.empty((0, 8), np.int64)


def golden_segments(which: DelayCase) -> Codes:
    """What the reference cuts out of a greedy run in the end, behind the prefix, [T, Nq]."""
    lengths = which.raw["greedy"]["segments"]
    parts = [expected(which.kind)[f"{which.name}.greedy.codes.{i}"].numpy() for i in range(len(lengths))]
    return np.concatenate(parts)[which.raw["greedy"].get("prefix_frames", 0) :]


def run(made: SpeechEngine, which: DelayCase, slot: int = 0, **options: Any) -> list[Frame]:
    """Every step of a golden run, to its end."""
    begin(made, slot, which, **options)
    frames: list[Frame] = []
    while len(frames) < which.raw["max_new_tokens"]:
        frames += made.step([slot])
        if frames[-1].kind is FrameKind.END:
            break
    return frames


def ended() -> list[DelayCase]:
    """The golden runs that the model ended itself."""
    return [each for each in case_list() if each.raw["greedy"]["stopped_by"] == "im_end"]


def heard(frames: Sequence[Frame]) -> list[int]:
    """The steps that made something to hear."""
    return [step for step, frame in enumerate(frames) if frame.kind is FrameKind.AUDIO]
