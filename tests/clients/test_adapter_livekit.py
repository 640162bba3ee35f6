"""`moss_stream.adapters.livekit` in the published LiveKit Agents, with the embedded voice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from livekit import rtc
from livekit.agents import Agent, AgentSession, APIError
from livekit.agents.metrics import TTSMetrics
from livekit.agents.tts import SynthesizeStream
from livekit.agents.voice import io
from livekit.agents.voice.transcription import TranscriptSynchronizer
from moss_stream.adapters.livekit import MossTTS

from moss_stream import ConfigError, StreamingSynthesizer

TEXT = "Good morning, how are you today?"
LONG = "A very long answer that nobody wants to hear to its end. " * 10


@pytest.fixture
async def synth() -> AsyncIterator[StreamingSynthesizer]:
    """The embedded voice, in this process."""
    async with await StreamingSynthesizer.load() as loaded:
        yield loaded


@pytest.fixture
async def tts(synth: StreamingSynthesizer) -> AsyncIterator[MossTTS]:
    async with MossTTS(synth, voice="slt") as made:
        yield made


class Loudspeaker(io.AudioOutput):
    """Plays in real time.

    Attributes:
        played_s: Seconds of all that was played.
    """

    def __init__(self) -> None:
        super().__init__(label="test", capabilities=io.AudioOutputCapabilities(pause=False))
        self.played_s = 0.0
        self._queue: asyncio.Queue[rtc.AudioFrame | None] = asyncio.Queue()
        self._position_s = 0.0
        self._is_open = False
        self._task = asyncio.create_task(self._play())

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        self._is_open = True
        self._queue.put_nowait(frame)

    def flush(self) -> None:
        super().flush()
        if self._is_open:
            self._queue.put_nowait(None)

    def clear_buffer(self) -> None:
        while not self._queue.empty():
            self._queue.get_nowait()
        self._finish(interrupted=True)

    async def _play(self) -> None:
        while True:
            frame = await self._queue.get()
            if frame is None:
                self._finish(interrupted=False)
                continue
            if not self._position_s:
                self.on_playback_started(created_at=time.time())
            await asyncio.sleep(frame.duration)
            self._position_s += frame.duration
            self.played_s += frame.duration

    def _finish(self, interrupted: bool) -> None:
        if self._is_open:
            self._is_open = False
            self.on_playback_finished(playback_position=self._position_s, interrupted=interrupted)
        self._position_s = 0.0


async def spoken(stream: SynthesizeStream) -> tuple[list[str], list[float], float]:
    """Return the words of a stream, the times when they end, and its seconds."""
    words, ends, seconds = [], [], 0.0
    async for event in stream:
        seconds += event.frame.duration
        for word in event.frame.userdata.get("lk.timed_transcripts", []):
            words.append(str(word))
            ends.append(word.end_time)
    return words, ends, seconds


async def test_text_is_spoken_with_times_of_its_words(tts: MossTTS, synth: StreamingSynthesizer) -> None:
    """Pushed character by character; all audio comes, and every word with its time; and what it cost."""
    metrics: list[TTSMetrics] = []
    tts.on("metrics_collected", metrics.append)
    assert tts.capabilities.streaming and tts.capabilities.aligned_transcript
    async with tts.stream() as stream:
        for character in TEXT:
            stream.push_text(character)
        stream.end_input()
        words, ends, seconds = await spoken(stream)
    assert "".join(words) == TEXT and ends == sorted(ends)
    assert 1.0 < seconds < 6.0 and 0.5 < ends[-1] <= seconds
    assert [each.characters_count for each in metrics] == [len(TEXT)]
    assert metrics[0].ttfb > 0 and metrics[0].audio_duration == pytest.approx(seconds)
    assert metrics[0].metadata.model_provider == "moss-stream"


async def test_speech_begins_before_the_text_has_ended(tts: MossTTS) -> None:
    """The first clause is enough."""
    async with tts.stream() as stream:
        stream.push_text("Good morning, how are you? I am ")
        first = await anext(aiter(stream))
        assert first.frame.duration > 0
        stream.push_text("fine.")
        stream.end_input()
        words, _, _ = await spoken(stream)
    assert words[-1] == " fine."


async def test_a_whole_text_at_another_rate(synth: StreamingSynthesizer) -> None:
    """`synthesize` returns the whole recording, as fast as the machine can."""
    async with MossTTS(synth, voice="slt", sample_rate=48_000) as tts:
        frame = await tts.synthesize(TEXT).collect()
    assert frame.sample_rate == 48_000 and 1.0 < frame.duration < 6.0
    assert max(map(abs, frame.data)) > 3000


async def test_leaving_a_stream_stops_the_engine(tts: MossTTS, synth: StreamingSynthesizer) -> None:
    """It was two seconds ahead of the listener; the next reply is spoken."""
    async with tts.stream() as stream:
        stream.push_text(LONG)
        stream.end_input()
        await anext(aiter(stream))
    while synth.metrics.active:
        await asyncio.sleep(0.01)
    assert synth.metrics.ended == {"cancelled": 1} and synth.metrics.frames * 0.08 < 5.0
    assert (await tts.synthesize(TEXT).collect()).duration > 1.0


async def test_an_open_stream_holds_up_no_other(tts: MossTTS) -> None:
    """As when a framework begins the next reply ahead of time."""
    async with tts.stream() as idle:
        idle.push_text("Well")
        assert (await tts.synthesize(TEXT).collect()).duration > 1.0


async def test_options_hold_from_the_next_reply_on(tts: MossTTS, synth: StreamingSynthesizer) -> None:
    """Another voice sounds different; what the model cannot do is refused, and changes nothing."""
    before = await tts.synthesize(TEXT).collect()
    with pytest.raises(ConfigError):
        tts.update_options(voice="rms", n_vq=1000)
    tts.update_options(voice="rms", seed=4)
    after = await tts.synthesize(TEXT).collect()
    assert bytes(before.data) != bytes(after.data)


async def test_errors_are_the_frameworks(tts: MossTTS, synth: StreamingSynthesizer) -> None:
    """A voice that is not there, then a synthesizer that is closed: neither is tried again."""
    tts.update_options(voice="nobody")
    with pytest.raises(APIError, match="nobody") as caught:
        await tts.synthesize(TEXT).collect()
    assert not caught.value.retryable
    tts.update_options(voice="slt")
    await synth.close()
    with pytest.raises(APIError, match="closed") as caught:
        await tts.synthesize(TEXT).collect()
    assert not caught.value.retryable


async def test_prewarming_comes_first(tts: MossTTS, synth: StreamingSynthesizer) -> None:
    """It runs in the background, once."""
    tts.prewarm()
    tts.prewarm()
    assert (await tts.synthesize(TEXT).collect()).duration > 1.0


async def test_an_interruption_keeps_what_was_heard(tts: MossTTS, synth: StreamingSynthesizer) -> None:
    """In a session that plays in real time: the chat ends where the listener's hearing did."""
    loudspeaker = Loudspeaker()
    session = AgentSession(tts=tts, use_tts_aligned_transcript=True)
    synchronizer = TranscriptSynchronizer(next_in_chain_audio=loudspeaker, next_in_chain_text=None)
    session.output.audio, session.output.transcription = synchronizer.audio_output, synchronizer.text_output
    await session.start(Agent(instructions=""))
    speech = session.say(LONG)
    while loudspeaker.played_s < 1.5:
        await asyncio.sleep(0.01)
    speech.interrupt()
    await speech.wait_for_playout()
    await session.say(TEXT).wait_for_playout()
    heard, later = [item.text_content for item in session.history.items if item.type == "message"]
    assert 0 < len(heard) < 60 and LONG.startswith(heard) and later == TEXT
    while synth.metrics.active:
        await asyncio.sleep(0.01)
    assert synth.metrics.ended == {"cancelled": 1, "done": 1}
    await session.aclose()
    await synchronizer.aclose()
