"""`moss-stream bench` for a model with random weights: how many listeners a large model serves.

    python -m benchmarks.load [--shape 1.7b] [--streams 1,8,16,32,64] [--n-vq 8,16,32] [--device auto]
                              [--depth-int8] [--backbone-int8] [-o load.json]

Random weights never end a sentence, so its length is taken from its text: 15 characters a second. For shapes
of MossTTSLocal v1.0, of MOSS-TTS-Realtime and of MossTTSDelay, whose prompts begin the audio for it. All
else is as in `moss-stream bench`: simulated language models, listeners in real time, TTFA, RTF, C100, memory.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from benchmarks.shapes import SHAPES, Shape, cat_config, random_cat, random_network
from moss_stream.audio import FRAME_S
from moss_stream.cli import bench_report
from moss_stream.cli.listeners import Load, sweep
from moss_stream.config import EngineOptions, SynthesisOptions
from moss_stream.embedded import embedded_model
from moss_stream.engine.device import choose_device, choose_dtype
from moss_stream.engine.protocol import Frame, FrameKind
from moss_stream.engine.speech_engine import SpeechEngine
from moss_stream.engine.worker import Worker
from moss_stream.families.delay.network import MossTTSDelay
from moss_stream.families.delay.prompt import DelayPrompts
from moss_stream.families.family import Prompts
from moss_stream.families.frame_prompts import FramePrompts
from moss_stream.families.local.network import MossTTSLocal
from moss_stream.families.realtime.network import MossTTSRealtime
from moss_stream.families.realtime.prompt import RealtimePrompts
from moss_stream.families.tokenizer import ChatTokenizer
from moss_stream.synthesizer import StreamingSynthesizer
from moss_stream.text.message import Prompt, Rows

CHARS_PER_S = 15.0


class TimedEngine(SpeechEngine):
    """Ends a segment when its text would be spoken, and no more of it comes."""

    def __init__(self, *parts: Any) -> None:
        self._left: dict[int, int] = {}
        self._unfinished: set[int] = set()
        super().__init__(*parts)

    def begin(self, slot: int, prompt: Prompt, gain: float = 1.0) -> int:
        """See the protocol."""
        said = 0 if prompt.prefix is None else len(prompt.prefix)
        self._left[slot] = max(1, _frames(prompt.message.text) - said)
        return super().begin(slot, prompt, gain)

    def give(self, slot: int, text: str, is_last: bool) -> None:
        """See the protocol."""
        self._left[slot] += _frames(text)
        (self._unfinished.discard if is_last else self._unfinished.add)(slot)
        super().give(slot, text, is_last)

    def step(self, slots: Sequence[int]) -> list[Frame]:
        """See the protocol."""
        made = []
        for slot, frame in zip(slots, super().step(slots), strict=True):
            if frame.kind is FrameKind.NOTHING:
                made.append(frame)
                continue
            left = self._left.get(slot, 0)
            goes_on = left > 0 or slot in self._unfinished
            made.append(replace(frame, kind=FrameKind.AUDIO if goes_on else FrameKind.END))
            self._left[slot] = left - 1
        return made


def _frames(text: str) -> int:
    """Return how many frames it takes to say `text`."""
    return round(len(text) / CHARS_PER_S / FRAME_S)


class StartedPrompts(DelayPrompts):
    """Random weights do not say that their audio starts."""

    def _begin(self) -> list[Rows]:
        return [self._pad([self._delay.audio_start_token_id])]


def engine(shape: Shape, device: torch.device, options: EngineOptions) -> TimedEngine:
    """Return an engine with random weights, and the embedded voice's tokenizer."""
    dtype = choose_dtype("auto", device)
    with torch.inference_mode():
        model = random_network(shape, device, dtype, options)
        codec = random_cat(cat_config(shape), device, options)
    tokenizer = ChatTokenizer(embedded_model())
    prompts: Prompts
    if isinstance(model, MossTTSDelay):
        prompts = StartedPrompts(model.config, tokenizer)
    elif isinstance(model, MossTTSLocal):
        prompts = FramePrompts(model.config, tokenizer)
    elif isinstance(model, MossTTSRealtime):
        prompts = RealtimePrompts(model.config, tokenizer, options.max_context)
    else:
        raise SystemExit(f"There are no prompts here for a model of the family {shape.family}.")
    made = TimedEngine(model, codec, prompts, options, "random weights")
    made.warm_up()
    return made


async def talk(made: TimedEngine, loads: Sequence[Load], options: EngineOptions) -> list[dict[str, Any]]:
    """Carry all loads."""
    worker = Worker(lambda: made, options.max_queue)
    async with StreamingSynthesizer(worker, await worker.start(), options) as synth:
        return await sweep(synth, loads, time.monotonic, lambda result: print(".", end="", flush=True))


def main() -> None:
    """Parse the command line, measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=list(SHAPES), default="1.7b")
    parser.add_argument("--streams", default="1,8,16,32,64")
    parser.add_argument("--n-vq", default="8,16,32")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--depth-int8", action="store_true")
    parser.add_argument("--backbone-int8", action="store_true")
    parser.add_argument("-o", "--output", type=Path, default=Path("load.json"))
    args = parser.parse_args()
    counts, depths = ([int(part) for part in text.split(",")] for text in (args.streams, args.n_vq))
    options = EngineOptions(
        max_streams=max(counts),
        max_queue=0,
        depth_int8=args.depth_int8,
        backbone_int8=args.backbone_int8,
    )
    made = engine(SHAPES[args.shape], choose_device(args.device), options)
    loads = [Load(count, options=SynthesisOptions(n_vq=depth)) for depth in depths for count in counts]
    results = asyncio.run(talk(made, loads, options))
    Console(width=160).print(bench_report.table(results))
    bench_report.save(results, {"model": made.info.description, "torch": torch.__version__}, args.output)
    bench_report.plot(results, args.output.with_suffix(".png"))


if __name__ == "__main__":
    main()
