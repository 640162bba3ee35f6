"""The golden checkpoints and the reference implementation's outputs on them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from moss_stream.codec.cat import Cat
from moss_stream.codec.load import load_cat
from moss_stream.config import EngineOptions
from moss_stream.engine.generator import FrameGenerator
from moss_stream.families.frame_prompts import FramePrompts
from moss_stream.families.local.load import load_local
from moss_stream.families.local.network import MossTTSLocal
from moss_stream.families.tokenizer import ChatTokenizer
from moss_stream.text.message import Codes, Message, Rows

# One thread: the checkpoint is tiny, and on a busy machine two would wait for each other.
torch.set_num_threads(1)

GOLDEN = Path(__file__).parent.parent / "golden"
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Case:
    """A message of `cases.json`, with its codes."""

    name: str
    message: Message
    prefix: Codes | None


@cache
def expected(kind: str) -> dict[str, Tensor]:
    """The reference's outputs of a golden folder, such as `local` or `cat`."""
    return load_file(GOLDEN / kind / "expected.safetensors")


@cache
def cases() -> list[Case]:
    """The messages of the speech model's golden cases."""

    def codes(name: str | None) -> Codes | None:
        return None if name is None else expected("local")[f"codes.{name}"].numpy()

    found = []
    for case in json.loads((GOLDEN / "local" / "cases.json").read_text(encoding="utf-8"))["cases"]:
        fields = dict(case["message"])
        prefix, reference = codes(fields.pop("prefix", None)), fields.pop("reference", None)
        voices = None if reference is None else [codes(name) for name in reference]
        found.append(Case(case["name"], Message(**fields, reference=voices), prefix))
    return found


@cache
def model() -> MossTTSLocal:
    """The golden speech model in float32 with the full text head."""
    return load_local(GOLDEN / "local", CPU, torch.float32, EngineOptions(text_head="full"))


@cache
def codec(kind: str = "cat") -> Cat:
    """A golden codec: "cat" or "cat_v2"."""
    return load_cat(GOLDEN / kind, CPU, EngineOptions())


def prompts() -> FramePrompts:
    """A builder with the golden tokenizer and chat template."""
    return FramePrompts(model().config, ChatTokenizer(GOLDEN / "local"))


def generator(prefill_chunk: int = 128, max_context: int = 512, **options: Any) -> FrameGenerator:
    """A generator on the golden model."""
    settings = EngineOptions(prefill_chunk=prefill_chunk, max_context=max_context, **options)
    return FrameGenerator(model(), settings)


def prefill(made: FrameGenerator, rows: Rows, slot: int = 0) -> None:
    """Prefill a whole prompt."""
    made.begin(slot, rows)
    while not made.prefill(slot):
        pass
