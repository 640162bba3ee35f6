"""A conversation of an hour with a model that remembers it: memory, and the time of a frame.

    python -m benchmarks.dialogue [--minutes 60] [--shape realtime-tiny] [--max-context 4096] [--device auto]

Random weights never end an answer, so its length is taken from its text: 15 characters a second. The user
says something before every turn; every fourth answer is interrupted. When the context is full the oldest
turns go. Prints a line for every five minutes of audio: resident memory, the median time of a frame, the rows
that it attends over, and how often the context rolled over.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace

import psutil
import torch

from benchmarks.load import CHARS_PER_S
from benchmarks.shapes import SHAPES, Shape, cat_config, random_cat, random_realtime, realtime_config
from moss_stream.audio import FRAME_S
from moss_stream.cli.listeners import TEXTS
from moss_stream.config import EngineOptions
from moss_stream.embedded import embedded_model
from moss_stream.engine.device import choose_device, choose_dtype
from moss_stream.engine.load import answer_rows
from moss_stream.engine.protocol import Frame, FrameKind
from moss_stream.engine.speech_engine import SpeechEngine
from moss_stream.engine.worker import Worker
from moss_stream.families.realtime.prompt import RealtimePrompts
from moss_stream.families.tokenizer import ChatTokenizer
from moss_stream.synthesizer import StreamingSynthesizer
from moss_stream.text.message import Prompt

REPORT_S = 300.0


class AnsweringEngine(SpeechEngine):
    """Ends an answer when its text would be spoken, and notes what frames take."""

    frame_ms: list[float]
    rows: int = 0
    num_rollovers: int = 0
    _left: float = 0.0

    def begin(self, slot: int, prompt: Prompt, gain: float = 1.0) -> int:
        """See the protocol."""
        self._left, self.rows = 0.0, len(prompt.rows)
        self.num_rollovers += prompt.num_forgotten > 0
        return super().begin(slot, prompt, gain)

    def give(self, slot: int, text: str, is_last: bool) -> None:
        """See the protocol."""
        self._left += len(text) / CHARS_PER_S / FRAME_S
        super().give(slot, text, is_last)

    def step(self, slots: Sequence[int]) -> list[Frame]:
        """See the protocol."""
        began_s = time.perf_counter()
        frames = super().step(slots)
        self.frame_ms.append((time.perf_counter() - began_s) * 1000)
        self._left -= 1
        self.rows += 1
        is_over = self._left <= 0 and self.is_fed(slots[0]) and not self.num_unread(slots[0])
        return [replace(frame, kind=FrameKind.END if is_over else FrameKind.AUDIO) for frame in frames]


def engine(shape: Shape, device: torch.device, options: EngineOptions) -> AnsweringEngine:
    """Return an engine with random weights, and the embedded voice's tokenizer."""
    with torch.inference_mode():
        model = random_realtime(realtime_config(shape), device, choose_dtype("auto", device), options)
        codec = random_cat(cat_config(shape), device, options)
    rows = options.max_context - answer_rows(options.max_context)
    prompts = RealtimePrompts(model.config, ChatTokenizer(embedded_model()), rows)
    AnsweringEngine.frame_ms = []
    made = AnsweringEngine(model, codec, prompts, options, "random weights")
    made.warm_up()
    return made


async def talk(made: AnsweringEngine, options: EngineOptions, minutes: float) -> None:
    """Hold the conversation, and print the figures."""
    worker, process = Worker(lambda: made), psutil.Process()
    print(f"{'min':>4} {'MiB':>8} {'frame ms':>9} {'rows':>6} {'rolled over':>12}", flush=True)
    async with StreamingSynthesizer(worker, await worker.start(), options) as synth:
        conversation, audio_s, turn, next_s = synth.conversation(), 0.0, 0, REPORT_S
        made.frame_ms.clear()
        while audio_s < minutes * 60:
            await conversation.user_said(f"And what about number {turn}?")
            async with conversation.stream(TEXTS[turn % len(TEXTS)]) as stream:
                async for chunk in stream:
                    audio_s += chunk.duration_s
                    if turn % 4 == 3 and chunk.start_s > 2.0:
                        break
            turn += 1
            if audio_s >= next_s:
                next_s += REPORT_S
                memory, frame_ms = process.memory_info().rss / 2**20, statistics.median(made.frame_ms)
                figures = f"{memory:8.1f} {frame_ms:9.2f} {made.rows:6} {made.num_rollovers:12}"
                print(f"{audio_s / 60:4.0f} {figures}", flush=True)
                made.frame_ms.clear()
    print(f"{turn} turns")


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60.0, help="of audio")
    parser.add_argument("--shape", choices=[n for n, s in SHAPES.items() if s.family == "realtime"])
    parser.add_argument("--max-context", type=int, default=4096)
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    logging.getLogger("moss_stream").setLevel(logging.ERROR)
    options = EngineOptions(max_streams=1, max_context=args.max_context)
    made = engine(SHAPES[args.shape or "realtime-tiny"], choose_device(args.device), options)
    asyncio.run(talk(made, options, args.minutes))


if __name__ == "__main__":
    main()
