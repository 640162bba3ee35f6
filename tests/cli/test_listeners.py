from __future__ import annotations

import asyncio
import itertools

import pytest
from fakes import FakeEngine, synthesizer_on

from moss_stream import EngineOptions, SynthesisOptions
from moss_stream.cli.listeners import TEXTS, Load, Record, run, summary, sweep, tokens


async def no_sleep(seconds: float) -> None:
    await asyncio.sleep(0)


async def test_a_simulated_model_writes_the_text_and_stalls_now_and_then() -> None:
    """All of the text comes, in small pieces, at the wanted rate; the same seed stalls at the same places."""
    waits: list[list[float]] = []

    async def note(seconds: float) -> None:
        waits[-1].append(seconds)

    load = Load(1, tokens_per_s=50, stall_share=0.1, stall_s=2.0)
    for seed in (3, 3, 4):
        waits.append([])
        pieces = [piece async for piece in tokens(TEXTS[0], load, seed, note)]
        assert "".join(pieces) == TEXTS[0] and max(map(len, pieces)) == 4
    assert waits[0] == waits[1] != waits[2]
    assert set(waits[0]) == {0.02, 2.02} and waits[0].count(2.02) < len(waits[0]) / 4


async def test_every_listener_is_counted() -> None:
    """Streams that are spoken have times, streams that are refused are refusals, none is lost."""
    engine = FakeEngine(frames_per_segment=5, max_streams=2)
    ticks = itertools.count()
    async with await synthesizer_on(engine, EngineOptions(max_streams=2, max_queue=0)) as synth:
        records = await run(synth, Load(6), lambda: next(ticks) / 1000, no_sleep)
    assert [record.stream for record in records] == list(range(6))
    spoken = [record for record in records if record.error is None]
    assert len(spoken) >= 1 and all(
        record.ttfa_text_s is not None and record.audio_s > 0.3 for record in spoken
    )
    assert sum(record.is_refused for record in records) == 6 - len(spoken)


async def test_loads_are_carried_one_after_the_other() -> None:
    """What each number of codebooks needs is made before the first of them; memory is told with every run."""
    engine, told = FakeEngine(frames_per_segment=2), list[int]()
    ticks = itertools.count()
    loads = [
        Load(count, options=SynthesisOptions(n_vq=depth), stall_share=0.0)
        for depth in (2, 4)
        for count in (1, 2)
    ]
    async with await synthesizer_on(engine) as synth:
        results = await sweep(
            synth, loads, lambda: next(ticks) / 1000, lambda result: told.append(result["streams"]), no_sleep
        )
    assert told == [1, 2, 1, 2] == [result["streams"] for result in results]
    assert [name for name, _ in engine.log[:3]] == ["capture", "capture", "open"]
    assert all(result["memory_mb"] > 10 for result in results)


def test_the_summary_says_who_waited() -> None:
    """C100 is the share of streams without a wait over 100 ms; refusals do not count as spoken."""
    records = [
        Record(0, 0.2, 0.1, 5.0, 0.3, 0.0),
        Record(1, 0.4, 0.2, 5.0, 0.3, 0.06),
        Record(2, 0.3, 0.1, 5.0, 0.3, 0.15),
        Record(3, 0.3, 0.1, 5.0, 0.3, 0.5),
        Record(4, None, None, 0.0, None, 0.0, "full", True),
        Record(5, None, None, 0.0, None, 0.0, "broken"),
    ]
    made = summary(Load(6), records)
    assert (made["c50"], made["c100"], made["c200"]) == (0.25, 0.5, 0.75)
    assert (made["refused"], made["failed"], made["rtf"]) == (1, 1, 0.3)
    assert made["ttfa_text_ms"]["p99"] == pytest.approx(400) and len(made["records"]) == 6
    empty = summary(Load(1), records[4:])
    assert empty["c100"] is None and empty["ttfa_text_ms"] is None
