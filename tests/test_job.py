from __future__ import annotations

import logging

import numpy as np
import pytest
from fakes import NUM_CODEBOOKS, FakeEngine

from moss_stream.audio import AudioChunk
from moss_stream.config import SynthesisOptions
from moss_stream.engine.channel import Channel
from moss_stream.engine.job import SpeechJob
from moss_stream.errors import EngineError, MossError, NoAudio, TextError


class Run:
    """A job on a fake engine, advanced by hand."""

    def __init__(
        self, engine: FakeEngine, options: SynthesisOptions | None = None, max_lead_ms: int = 100_000
    ) -> None:
        self.engine = engine
        self.channel = Channel(max_lead_ms, lambda: None)
        self.job = SpeechJob(options or SynthesisOptions(), self.channel, lambda: None)

    def advance(self, count: int = 1000) -> None:
        for _ in range(count):
            if self.job.is_over or not self.job.advance(self.engine):
                return

    async def chunks(self) -> list[AudioChunk]:
        got = []
        while (chunk := await self.channel.get()) is not None:
            got.append(chunk)
        return got


async def test_segments_become_numbered_chunks_and_a_final_one() -> None:
    """Index and start go on over segments; the last chunk is empty and final."""
    run = Run(FakeEngine(frames_per_segment=2))
    run.job.say("One sentence. ")
    run.job.say("Another.")
    run.job.end()
    run.advance()
    chunks = await run.chunks()
    assert [chunk.index for chunk in chunks] == [0, 1, 2, 3, 4]
    assert [round(chunk.start_s, 2) for chunk in chunks] == [0.0, 0.08, 0.16, 0.24, 0.32]
    assert [chunk.is_final for chunk in chunks] == [False] * 4 + [True]
    assert chunks[-1].pcm == b"" and chunks[-1].duration_s == 0 and len(chunks[0].pcm) == 3840


async def test_a_segment_continues_the_ones_before() -> None:
    """The second prompt holds the first text and the codes that were spoken for it."""
    run = Run(FakeEngine(frames_per_segment=2))
    run.job.say("One. ")
    run.job.say("Two.")
    run.job.end()
    run.advance()
    assert run.engine.texts() == ["One.", "One. Two."]
    assert run.engine.prefixes[0] is None
    prefix = run.engine.prefixes[1]
    assert prefix is not None
    np.testing.assert_array_equal(prefix, [[1] * NUM_CODEBOOKS, [2] * NUM_CODEBOOKS])


async def test_a_full_channel_halts_the_job() -> None:
    """With enough audio in hand no frame is made until the consumer takes some."""
    run = Run(FakeEngine(frames_per_segment=50), max_lead_ms=240)
    run.job.say("A long sentence.")
    run.advance()
    assert run.engine.num_steps == 3
    await run.channel.get()
    run.advance()
    assert run.engine.num_steps == 4


async def test_a_closed_channel_stops_the_job_before_the_next_frame() -> None:
    """After a cancel no further frame is made."""
    run = Run(FakeEngine(frames_per_segment=50))
    run.job.say("A long sentence.")
    run.advance(4)
    run.channel.close()
    run.advance()
    assert run.engine.num_steps == 3 and run.job.is_over


async def test_nothing_to_say_is_an_error() -> None:
    """Segments without letters are passed over; if there is no other, the stream says so."""
    run = Run(FakeEngine())
    run.job.say(" ... \n")
    run.job.end()
    run.advance()
    with pytest.raises(TextError, match="nothing to say"):
        await run.chunks()
    assert run.engine.log == []


async def test_a_segment_that_ends_at_once_is_tried_again() -> None:
    """A model that stops before its first frame is asked again, and spoken text is not lost."""
    run = Run(FakeEngine(frames_per_segment=2, silent_attempts=3))
    run.job.say("Hello.")
    run.job.end()
    run.advance()
    assert len(await run.chunks()) == 3
    assert run.engine.texts() == ["Hello."] * 4


async def test_a_model_that_never_speaks_is_an_error() -> None:
    """After five attempts the stream ends with NoAudio."""
    run = Run(FakeEngine(silent_attempts=100))
    run.job.say("Hello.")
    run.job.end()
    run.advance()
    with pytest.raises(NoAudio, match="seed"):
        await run.chunks()
    assert len(run.engine.texts()) == 5


async def test_a_runaway_segment_is_ended(caplog: pytest.LogCaptureFixture) -> None:
    """A model that does not stop is stopped, with a warning, and the next segment follows."""
    run = Run(FakeEngine(frames_per_segment=10_000))
    run.job.say("Hi.")
    run.job.say("Yo.")
    run.job.end()
    with caplog.at_level(logging.WARNING):
        run.advance()
    assert len(await run.chunks()) == 2 * (25 + 6 * 3) + 1
    assert caplog.text.count("ran on longer") == 2


async def test_an_engine_failure_is_translated() -> None:
    """What the model raises reaches the consumer as EngineError, after the audio before it."""
    run = Run(FakeEngine(fail_at=3))
    run.job.say("Hello.")
    run.advance()
    assert await run.channel.get() and await run.channel.get()
    with pytest.raises(EngineError, match="the device burns") as caught:
        await run.chunks()
    assert isinstance(caught.value.__cause__, RuntimeError) and isinstance(caught.value, MossError)


async def test_a_cloned_voice_is_in_every_prompt() -> None:
    """The reference's codes go into the message of each segment."""
    run = Run(FakeEngine())
    voice = np.full((5, NUM_CODEBOOKS), 9)
    run.job.set_voice(voice)
    for text in ("One.", "Two."):
        run.job.say(text)
    run.advance()
    messages = [message for kind, message in run.engine.log if kind == "begin"]
    assert [message.reference[0] is voice for message in messages] == [True, True]  # type: ignore[attr-defined]
