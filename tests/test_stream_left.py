"""However a stream is left, the model stops within a frame and nothing stays behind."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from fakes import FakeEngine, synthesizer_on

from moss_stream import (
    AudioChunk,
    EngineOptions,
    StreamEnded,
    StreamingSynthesizer,
    SynthesizerClosed,
    TurnState,
)
from moss_stream.stream import SynthesisStream

Pair = tuple[StreamingSynthesizer, FakeEngine]


async def test_a_stream_that_is_not_taken_can_be_cancelled() -> None:
    """After the synthesizer was closed, a stream made before says so, and its cancel returns."""
    synth = await synthesizer_on(FakeEngine())
    stream = synth.stream()
    await synth.close()
    with pytest.raises(SynthesizerClosed):
        await stream.push("Too late.")
    assert (await stream.cancel()).text == "" and stream.state is TurnState.CANCELLED


async def test_whoever_waits_to_push_is_released_by_a_cancel(fake: Pair) -> None:
    """A language model that is far ahead does not hang when the listener interrupts."""
    synth, engine = fake
    engine.frames_per_segment = 1000
    stream = synth.stream()

    async def write() -> None:
        while True:
            await stream.push("On and on it goes. ")

    writing = asyncio.create_task(write())
    assert await anext(aiter(stream))
    await stream.cancel()
    with pytest.raises(StreamEnded):
        await writing


async def test_cancel_tells_what_was_heard(fake: Pair) -> None:
    """Without a sink, what was handed out counts as heard; asking again changes nothing."""
    synth, engine = fake
    engine.frames_per_segment = 10
    stream = synth.stream("alpha beta gamma delta.")
    async for chunk in stream:
        if chunk.index == 4:
            break
    spoken = await stream.cancel()
    assert spoken.text in ("alpha", "alpha beta") and not spoken.exact
    assert spoken.seconds == pytest.approx(0.4) and await stream.cancel() is spoken
    assert stream.state is TurnState.CANCELLED


async def endless(gate: threading.Semaphore) -> Pair:
    engine = FakeEngine(frames_per_segment=10**9, gate=gate)
    return await synthesizer_on(engine, EngineOptions(max_lead_ms=600_000)), engine


async def leave(stream: SynthesisStream, way: str, ready: Callable[[], Awaitable[None]]) -> None:
    """Read two chunks of a stream, wait until it is time, and leave it in some way."""
    if way == "with":
        async with stream:
            async for chunk in stream:
                if chunk.index == 1:
                    await ready()
                    break
    elif way == "aclose":
        iterator = aiter(stream)
        await anext(iterator)
        await ready()
        await iterator.aclose()  # type: ignore[attr-defined]
    else:
        async for chunk in stream:
            if chunk.index == 1:
                await ready()
                if way == "break":
                    break
                await stream.cancel()


@pytest.mark.parametrize("way", ["break", "cancel", "aclose", "with", "task"])
async def test_however_a_stream_is_left_the_model_stops_within_a_frame(way: str) -> None:
    """Breaking out, cancel(), leaving `async with` and cancelling the task all stop the model."""
    gate = threading.Semaphore(3)  # the fourth frame is being made until the gate opens
    synth, engine = await endless(gate)

    async def ready() -> None:
        while engine.num_steps < 3:
            await asyncio.sleep(0)
        if way == "task":
            leaving.cancel()
            await asyncio.sleep(0)

    stream = synth.stream("A sentence that does not end.")
    leaving = asyncio.create_task(leave(stream, way, ready))
    while stream._job is None or not stream._job.channel.is_closed:
        await asyncio.sleep(0)
    gate.release(1000)
    await asyncio.wait([leaving])
    await stream.cancel()
    assert engine.num_steps <= 4
    await synth.close()


async def test_after_cancel_nothing_is_yielded_and_a_new_stream_starts(fake: Pair) -> None:
    """No late audio, and the engine is free for the next stream."""
    synth, engine = fake
    engine.frames_per_segment = 1000
    stream = synth.stream("A long sentence to interrupt.")
    seen = []
    async for chunk in stream:
        seen.append(chunk.index)
        if chunk.index == 5:
            await stream.cancel()
    assert seen == list(range(6))
    engine.frames_per_segment = 2
    assert len([chunk async for chunk in synth.stream("The next one.")]) == 3


async def test_cancel_before_the_first_frame_and_before_the_start(fake: Pair) -> None:
    """A stream that was cancelled early yields nothing and does not wait for its text."""
    synth, engine = fake
    stream = synth.stream("Never spoken.")
    await stream.cancel()
    assert [chunk async for chunk in stream] == []

    async def silence() -> AsyncIterator[str]:
        await asyncio.Event().wait()
        yield "never"

    async with synth.stream(silence()) as waiting:
        await waiting.cancel()
        await waiting.cancel()
    assert engine.texts() == []


async def test_a_stream_that_waits_for_its_turn_can_be_cancelled(fake: Pair) -> None:
    """Cancelling does not wait for the stream that is being spoken, and that one goes on."""
    synth, engine = fake

    async def silence() -> AsyncIterator[str]:
        await asyncio.Event().wait()
        yield "never"

    async with synth.stream(silence()) as first, synth.stream("Second.") as second:
        await second.cancel()
        assert [chunk async for chunk in second] == []
        await first.cancel()
    assert engine.texts() == []
    assert len([chunk async for chunk in synth.stream("Third.")]) == 4


async def test_streams_leave_nothing_behind(fake: Pair) -> None:
    """After a thousand interrupted streams no task, no stream and no chunk is left."""
    synth, engine = fake
    engine.frames_per_segment = 1000
    gc.collect()
    before = _num_alive()
    for number in range(1000):
        async with synth.stream("To be interrupted.") as stream:
            async for chunk in stream:
                if chunk.index == number % 7:
                    break
    del stream, chunk
    await asyncio.sleep(0)
    gc.collect()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert _num_alive() <= before


def _num_alive() -> int:
    return sum(type(thing) in (SynthesisStream, AudioChunk) for thing in gc.get_objects())


async def test_a_stream_whose_sink_is_gone_can_still_be_cancelled(fake: Pair) -> None:
    """Cancelling stops the model, though the sink cannot say what it has played."""
    synth, engine = fake
    engine.frames_per_segment = 1000
    is_gone = False

    def position_s() -> float:
        if is_gone:
            raise OSError("unplugged")
        return 0.0

    stream = synth.stream("A long sentence to interrupt.")
    stream.attach(position_s)
    chunks = aiter(stream)
    for _ in range(3):
        await anext(chunks)
    is_gone = True
    spoken = await stream.cancel()
    assert spoken.seconds == pytest.approx(0.24) and stream.state.is_over
    assert synth.is_ready
