"""Random traffic for a long time: does memory stay where it was, does every stream end?

    python -m benchmarks.soak [--minutes 30] [--clients 6] [--model FOLDER]

Clients come and go on one synthesizer: whole texts, texts word by word, conversations, interruptions at any
moment, slow readers, readers that stop, texts without a word, recordings that cannot be used. Prints resident
memory each minute, and at the end how it grew since minute 3, and how the streams ended.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import time
from collections import Counter

import psutil

from moss_stream import EngineOptions, MossError, StreamingSynthesizer, SynthesisOptions, SynthesisStream
from moss_stream.cli.listeners import TEXTS

STUCK_S = 120.0
WARM_MINUTES = 3


class Soak:
    """The clients and what became of their streams."""

    def __init__(self, synth: StreamingSynthesizer, end_s: float) -> None:
        self._synth = synth
        self._end_s = end_s
        self.ends: Counter[str] = Counter()

    async def client(self, seed: int) -> None:
        """Speak with one person after the other until the time is over."""
        choose = random.Random(seed)
        talk = self._synth.conversation()
        while time.monotonic() < self._end_s:
            if choose.random() < 0.1:
                talk = self._synth.conversation(voice=choose.choice([None, *self._synth.voices]))
            stream = talk.stream() if choose.random() < 0.5 else self._single(choose)
            try:
                await asyncio.wait_for(self._one(stream, choose), STUCK_S)
            except TimeoutError:
                self.ends["STUCK"] += 1
            except MossError as error:
                self.ends[type(error).__name__] += 1
            await stream.cancel()
            self.ends[stream.state.name] += 1

    def _single(self, choose: random.Random) -> SynthesisStream:
        voice = choose.choice([None, *self._synth.voices, "nowhere.wav"])
        options = SynthesisOptions(seed=choose.randrange(1000), n_vq=choose.choice([None, 1, 4]))
        return self._synth.stream(voice=voice, options=options)

    async def _one(self, stream: SynthesisStream, choose: random.Random) -> None:
        text = choose.choice([*TEXTS, "Yes.", "... !", "**Well**, [this](https://a.b) is 3.14. " * 3])
        writing = asyncio.create_task(self._write(stream, text, choose))
        frames, pause_s = choose.randrange(1, 150), choose.choice([0.0, 0.0, 0.1])
        try:
            async for chunk in stream:
                await asyncio.sleep(pause_s)
                if chunk.index == frames:
                    break
        finally:
            writing.cancel()
            await asyncio.wait([writing])

    async def _write(self, stream: SynthesisStream, text: str, choose: random.Random) -> None:
        for word in text.split(" "):
            await stream.push(word + " ")
            await asyncio.sleep(choose.choice([0.0, 0.0, 0.05]))
            if choose.random() < 0.02:
                await stream.flush()
        await stream.end()


async def soak(minutes: float, clients: int, model: str | None) -> None:
    """Run, and print what was seen."""
    process = psutil.Process()
    async with await StreamingSynthesizer.load(model, options=EngineOptions(max_streams=4)) as synth:
        began_s = time.monotonic()
        made = Soak(synth, began_s + 60 * minutes)
        tasks = [asyncio.create_task(made.client(seed)) for seed in range(clients)]
        memory: list[float] = []
        while not all(task.done() for task in tasks):
            await asyncio.wait(tasks, timeout=60)
            gc.collect()
            memory.append(process.memory_info().rss / 2**20)
            print(
                f"{(time.monotonic() - began_s) / 60:.1f} min: {memory[-1]:.1f} MiB, {dict(made.ends)}",
                flush=True,
            )
        await asyncio.gather(*tasks)
        settled = memory[min(WARM_MINUTES, len(memory)) - 1]
        print(f"grew by {100 * (memory[-1] / settled - 1):+.1f} % since minute {WARM_MINUTES}")
        print(f"left behind: {synth.metrics.active} active, {synth.metrics.queued} queued streams")


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--model")
    args = parser.parse_args()
    asyncio.run(soak(args.minutes, args.clients, args.model))


if __name__ == "__main__":
    main()
