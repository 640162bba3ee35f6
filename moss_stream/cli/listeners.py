"""How many people can be talked to at once: simulated language models and listeners in real time.

Method. Each stream gets a text token by token (a token is about four characters) at a steady rate, with now
and then a stall in mid-sentence; the streams begin within the first second, spread evenly. Each listener
takes every chunk as it comes and plays it in real time from the first one on. A wait is a time in which a
listener has nothing to play although the stream goes on and text for it was written. Times come from one
monotonic clock.

- TTFA is counted from the first token, and from the moment the first segment was there to be spoken, to the
  first frame that is not silent, as the listener got it.
- C50, C100, C200: the share of streams without a wait of more than 50, 100 or 200 ms.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import psutil

from moss_stream.audio import AudioChunk, is_audible
from moss_stream.config import SynthesisOptions
from moss_stream.errors import MossError, Overloaded
from moss_stream.stream import SynthesisStream
from moss_stream.synthesizer import StreamingSynthesizer
from moss_stream.wire import FarEnd

__all__ = ["Load", "Record", "memory_mb", "run", "summary", "sweep", "tokens"]

TEXTS = (
    "Sure, I can help with that. The quickest way is to open the settings, choose your account, and press "
    "the button at the bottom of the page. It takes a minute or two, and you will get a message when it is "
    "done.",
    "That is a good question. There are three reasons: the weather was bad, the train was late, and nobody "
    "had told the others about it. In the end it did not matter much, since everybody was late.",
    "I looked at the figures again, and you are right. The second column was added up twice, so the sum is "
    "too high by about a tenth. I have put a corrected table at the end of the document.",
    "No problem at all. Your appointment is now on Friday at half past two. Please bring the letter, and "
    "come a few minutes early, because the entrance is on the other side of the building this week.",
)
TOKEN_CHARS = 4
"""English text has about four characters to a token."""
START_S = 1.0
"""The streams begin within this time."""


@dataclass(frozen=True, slots=True)
class Load:
    """What the engine has to carry."""

    streams: int
    tokens_per_s: float = 40.0
    stall_share: float = 0.02
    """How often a token comes late."""
    stall_s: float = 1.0
    options: SynthesisOptions = SynthesisOptions()
    voice: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """What one listener got. Seconds; None for what did not happen."""

    stream: int
    ttfa_text_s: float | None
    ttfa_segment_s: float | None
    audio_s: float
    rtf: float | None
    longest_wait_s: float
    error: str | None = None
    is_refused: bool = False


async def tokens(
    text: str, load: Load, seed: int, sleep: Callable[[float], Awaitable[None]]
) -> AsyncIterator[str]:
    """Yield a text as a language model writes it."""
    choose = random.Random(seed)
    for start in range(0, len(text), TOKEN_CHARS):
        stall_s = load.stall_s if choose.random() < load.stall_share else 0.0
        await sleep(1 / load.tokens_per_s + stall_s)
        yield text[start : start + TOKEN_CHARS]


class Listener:
    """Plays in real time, and notes when there is nothing to play."""

    def __init__(self, stream: SynthesisStream, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._clock = clock
        self._start_s = clock()
        self._ears = FarEnd(clock)
        self.first_audible_s: float | None = None
        self.longest_wait_s = 0.0
        stream.attach(lambda: self._ears.position_s)

    async def listen(self) -> None:
        """Take all chunks."""
        async for chunk in self._stream:
            self._take(chunk)

    def _take(self, chunk: AudioChunk) -> None:
        if chunk.is_final:
            return
        self.longest_wait_s = max(self.longest_wait_s, self._ears.waited_s)
        if self.first_audible_s is None and is_audible(chunk.pcm):
            self.first_audible_s = self._clock() - self._start_s
        self._ears.sent(chunk.duration_s)


async def run(
    synth: StreamingSynthesizer,
    load: Load,
    clock: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> list[Record]:
    """Speak to `load.streams` listeners at once; return what each got."""
    return list(await asyncio.gather(*(_one(synth, load, i, clock, sleep) for i in range(load.streams))))


async def _one(
    synth: StreamingSynthesizer,
    load: Load,
    number: int,
    clock: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]],
) -> Record:
    await sleep(START_S * number / load.streams)
    text = tokens(TEXTS[number % len(TEXTS)], load, number, sleep)
    options = load.options.replace(seed=load.options.seed + number)
    stream = synth.stream(text, voice=load.voice, options=options)
    listener = Listener(stream, clock)
    try:
        await listener.listen()
    except MossError as error:
        return Record(number, None, None, 0.0, None, 0.0, str(error), isinstance(error, Overloaded))
    metrics = stream.metrics
    assert metrics is not None
    heard_s = listener.first_audible_s
    return Record(
        number,
        _difference(heard_s, metrics.first_text_s),
        _difference(heard_s, metrics.first_segment_s),
        metrics.audio_s,
        metrics.rtf,
        listener.longest_wait_s,
    )


async def sweep(
    synth: StreamingSynthesizer,
    loads: Sequence[Load],
    clock: Callable[[], float],
    tell: Callable[[dict[str, Any]], None],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> list[dict[str, Any]]:
    """Carry one load after the other; return the figures of each, and `tell` them as they come."""
    results = []
    for n_vq in dict.fromkeys(load.options.n_vq for load in loads):
        await synth.warmup(n_vq)
    for load in loads:
        result = summary(load, await run(synth, load, clock, sleep))
        results.append(result | {"memory_mb": await asyncio.to_thread(memory_mb)})
        tell(results[-1])
    return results


def memory_mb() -> float:
    """Return the most memory that the GPU held, or what the process holds without one; 10**6 bytes."""
    torch = sys.modules.get("torch")  # not loaded without need
    if torch is not None and torch.cuda.is_initialized():
        return float(torch.cuda.max_memory_reserved() / 1e6)
    return float(psutil.Process().memory_info().rss / 1e6)


def summary(load: Load, records: Sequence[Record]) -> dict[str, Any]:
    """Return the figures of a run."""
    spoken = [record for record in records if record.error is None]
    rtf = [record.rtf for record in spoken if record.rtf is not None]
    return {
        "load": {**asdict(load), "options": load.options.model_dump(mode="json", exclude_defaults=True)},
        "streams": len(records),
        "refused": sum(record.is_refused for record in records),
        "failed": sum(record.error is not None and not record.is_refused for record in records),
        "ttfa_text_ms": _percentiles([record.ttfa_text_s for record in spoken]),
        "ttfa_segment_ms": _percentiles([record.ttfa_segment_s for record in spoken]),
        "rtf": statistics.median(rtf) if rtf else None,
        **{
            f"c{ms}": sum(record.longest_wait_s <= ms / 1000 for record in spoken) / len(spoken)
            if spoken
            else None
            for ms in (50, 100, 200)
        },
        "records": [asdict(record) for record in records],
    }


def _difference(later: float | None, earlier: float | None) -> float | None:
    return None if later is None or earlier is None else later - earlier


def _percentiles(seconds: Sequence[float | None]) -> dict[str, float] | None:
    known = sorted(value * 1000 for value in seconds if value is not None)
    if not known:
        return None
    return {f"p{share}": known[round(share / 100 * (len(known) - 1))] for share in (50, 95, 99)}
