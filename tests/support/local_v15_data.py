"""The golden MossTTSLocal v1.5 checkpoint and the reference implementation's outputs on it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from golden_data import CPU, GOLDEN, expected

from moss_stream.config import ChannelSampling, EngineOptions, SamplingOptions, SynthesisOptions
from moss_stream.engine.generator import FrameGenerator
from moss_stream.engine.load import load_engine
from moss_stream.engine.speech_engine import SpeechEngine
from moss_stream.families.local_v15.load import load_local_v15
from moss_stream.families.local_v15.network import MossTTSLocalV15
from moss_stream.families.local_v15.prompt import LocalV15Prompts
from moss_stream.families.tokenizer import ChatTokenizer
from moss_stream.text.message import Codes, Message

FOLDER = GOLDEN / "local_v15"
GREEDY = SamplingOptions(text=ChannelSampling(temperature=0.0), audio=ChannelSampling(temperature=0.0))
PENALISED = SamplingOptions(
    text=ChannelSampling(top_k=1),
    audio=ChannelSampling(top_p=0.95, top_k=1, repetition_penalty=1.3),
)
WAYS = {"greedy": GREEDY, "topk1_rp1.3": PENALISED}
"""How the golden rows were sampled."""


@dataclass(frozen=True)
class V15Case:
    """A golden run."""

    name: str
    message: Message
    prefix: Codes | None
    raw: dict[str, Any]


@cache
def case_list() -> list[V15Case]:
    """The golden runs."""
    found = []
    for raw in json.loads((FOLDER / "cases.json").read_text(encoding="utf-8"))["cases"]:
        fields = dict(raw["message"])
        prefix, reference = fields.pop("prefix", None), fields.pop("reference", None)
        voices = None if reference is None else [codes(name) for name in reference]
        message = Message(**fields, reference=voices)
        found.append(V15Case(raw["name"], message, prefix and codes(prefix[0]), raw))
    return found


def case(name: str) -> V15Case:
    """A golden run."""
    return next(each for each in case_list() if each.name == name)


def codes(name: str | None) -> Codes | None:
    """Golden codes that a case names."""
    return (
        None if name is None else np.asarray(expected("local_v15")[f"codes.{name}"].numpy(), dtype=np.int64)
    )


@cache
def model() -> MossTTSLocalV15:
    """The golden model in float32."""
    return load_local_v15(FOLDER, CPU, torch.float32, EngineOptions())


def prompts() -> LocalV15Prompts:
    """A builder with the golden tokenizer."""
    return LocalV15Prompts(model().config, ChatTokenizer(FOLDER))


def generator(max_context: int = 512, **options: Any) -> FrameGenerator:
    """A generator on the golden model."""
    return FrameGenerator(model(), EngineOptions(max_context=max_context, **options))


def engine(**options: Any) -> SpeechEngine:
    """The golden model and its codec behind the engine protocol."""
    return load_engine(FOLDER, GOLDEN / "cat_v2", "cpu", "float32", EngineOptions(**options))


def begin(made: SpeechEngine, slot: int, which: V15Case, **options: Any) -> None:
    """Start a golden run in a slot, and run its prompt."""
    made.open(slot, SynthesisOptions(**{"sampling": GREEDY, **options}))
    made.begin(slot, made.prompt(which.message, which.prefix))
    while not made.prefill(slot):
        pass
