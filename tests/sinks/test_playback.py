from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest
from fakes import FRAME_SAMPLES, TONE_PEAK, FakeEngine, StereoFake, is_tone, synthesizer_on

from moss_stream import AudioChunk, MemorySink, PlaybackReport, SinkError, StreamingSynthesizer, play
from moss_stream.audio import FRAME_S
from tests.sinks.test_sink import chunk, expected, speech


class SlowSink(MemorySink):
    """Plays nothing until `may_play` is set; `waits` is set while it is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.may_play, self.waits = asyncio.Event(), asyncio.Event()
        self.num_cleared = 0

    async def flush(self) -> PlaybackReport:
        self.waits.set()
        await self.may_play.wait()
        return await super().flush()

    async def clear(self) -> PlaybackReport:
        self.num_cleared += 1
        return await super().clear()


async def test_play_waits_until_all_is_played() -> None:
    """Playing is over when the sink has played, not when it was handed the last chunk."""
    sink = SlowSink()
    playing = asyncio.create_task(play(speech(2), sink).wait())
    await sink.waits.wait()
    assert not playing.done() and bytes(sink.pcm) == expected(2)
    sink.may_play.set()
    assert (await playing).played_s == pytest.approx(0.16)
    assert sink.num_cleared == 0


async def test_cancelling_play_clears_the_sink() -> None:
    """A cancelled playback drops what is not heard yet, and stays cancelled."""
    sink = SlowSink()
    playing = asyncio.create_task(play(speech(2), sink).wait())
    await sink.waits.wait()
    playing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await playing
    assert sink.num_cleared == 1


async def test_a_failing_stream_clears_the_sink() -> None:
    """When the stream fails the error comes through and the speaker falls silent."""

    async def failing() -> AsyncIterator[AudioChunk]:
        yield chunk(0)
        raise LookupError("the source is gone")

    sink = SlowSink()
    with pytest.raises(LookupError, match="the source is gone"):
        await play(failing(), sink)
    assert sink.num_cleared == 1


async def test_a_paused_playback_goes_on_where_it_was() -> None:
    """While paused nothing is written; afterwards nothing is missing."""
    sink = MemorySink()
    playing = play(speech(5), sink)
    playing.pause()
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(sink.pcm) == 0
    playing.resume()
    assert (await playing.wait()).played_s == pytest.approx(0.4) and bytes(sink.pcm) == expected(5)


class HalfSink(MemorySink):
    """Has played half of what it holds."""

    @property
    def position_s(self) -> float:
        return super().position_s / 2


async def test_interrupting_tells_what_was_heard(fake: tuple[StreamingSynthesizer, FakeEngine]) -> None:
    """The sink is cleared, the model stops, and the text is that of the samples that were played."""
    synth, engine = fake
    engine.frames_per_segment = 20
    sink = HalfSink()
    stream = synth.stream()
    playing = play(stream, sink)
    await stream.push("alpha beta gamma delta. ")
    await stream.flush()
    while sink.position_s < 0.7:
        await asyncio.sleep(0)
    spoken = await playing.interrupt()
    assert spoken is not None and spoken.text in ("alpha beta", "alpha beta gamma")
    assert 0.7 <= spoken.seconds <= 0.85 and not spoken.exact
    with pytest.raises(asyncio.CancelledError):
        await playing
    assert await playing.interrupt() == spoken
    other = play(speech(2), MemorySink())
    assert await other.interrupt() is None


class Wide(MemorySink):
    sample_rate = 48_000

    def __init__(self) -> None:
        super().__init__()
        self.chunks: list[AudioChunk] = []

    async def write(self, chunk: AudioChunk) -> None:
        self.chunks.append(chunk)
        await super().write(chunk)


async def test_a_sink_gets_its_own_rate() -> None:
    """A tone for a sink at 48 kHz keeps its pitch and length, without seams; chunks lie end to end."""
    tone = (np.sin(2 * np.pi * 440 * np.arange(10 * FRAME_SAMPLES) / 24_000) * 8000).astype("<i2")

    async def frames() -> AsyncIterator[AudioChunk]:
        for index, part in enumerate(tone.reshape(10, -1)):
            yield AudioChunk(part.tobytes(), 24_000, index, index * FRAME_S, FRAME_S)

    sink = Wide()
    report = await play(frames(), sink)
    heard = np.frombuffer(sink.pcm, "<i2").astype(float)
    wanted = np.sin(2 * np.pi * 440 * np.arange(2 * len(tone)) / 48_000) * 8000
    assert len(heard) == len(wanted) and np.abs(heard - wanted)[500:-500].max() < 100
    assert report.played_s == sink.position_s == pytest.approx(0.8)
    ends_s = [each.start_s + each.duration_s for each in sink.chunks]
    assert all(each.sample_rate == 48_000 for each in sink.chunks) and ends_s[-1] == pytest.approx(0.8)
    assert [each.start_s for each in sink.chunks[1:]] == pytest.approx(ends_s[:-1])


async def test_what_was_heard_at_another_rate(fake: tuple[StreamingSynthesizer, FakeEngine]) -> None:
    """All of the text was heard when all is played, and the final chunk comes last."""
    synth, _ = fake
    sink = Wide()
    playing = play(synth.stream("Two words."), sink)
    await playing
    spoken = await playing.interrupt()
    assert spoken is not None and spoken.text == "Two words." and spoken.exact
    assert spoken.seconds == pytest.approx(0.24) and sink.chunks[-1].is_final


async def test_a_chunk_of_another_rate_is_refused() -> None:
    """Written past `play` it would be heard at half its pitch; the error says what to do."""
    with pytest.raises(SinkError, match="takes 48000 Hz, and this chunk has 24000 Hz.*Use play"):
        await Wide().write(chunk(0))


class Old:
    """A sink that was written before there was stereo: it says nothing of channels."""

    sample_rate = 48_000
    position_s = 0.0

    def __init__(self) -> None:
        self.chunks: list[AudioChunk] = []

    async def write(self, chunk: AudioChunk) -> None:
        self.chunks.append(chunk)

    async def flush(self) -> PlaybackReport:
        return PlaybackReport(0.0)

    async def clear(self) -> PlaybackReport:
        return PlaybackReport(0.0)

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    async def aclose(self) -> None: ...


async def test_a_sink_that_does_not_say_is_mono() -> None:
    """It goes on to get what it takes, at its rate."""
    sink = Old()
    async with await synthesizer_on(StereoFake(frames_per_segment=5)) as synth:
        await play(synth.stream("Hello."), sink)
    assert {(each.sample_rate, each.channels) for each in sink.chunks} == {(48_000, 1)}
    assert is_tone(np.concatenate([each.samples for each in sink.chunks]), 48_000, TONE_PEAK / 2)
