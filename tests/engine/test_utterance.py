from __future__ import annotations

import asyncio
import logging

import numpy as np
import pytest
from fakes import NUM_CODEBOOKS, FakeEngine
from virtual_time import Lab, give

from moss_stream.engine.protocol import Frame, FrameKind
from moss_stream.engine.utterance import as_moss_error
from moss_stream.errors import EngineError, NoAudio, TextError

SENTENCE = "This is a sentence of average length. "


async def test_segments_become_numbered_chunks_and_a_final_one() -> None:
    """Index and start go on over segments; the last chunk is empty and final."""
    lab = Lab(FakeEngine(frames_per_segment=2))
    listener = lab.speak()
    for text in ("One sentence. ", "Another."):
        give(listener.job, text)
        listener.job.flush()
        await lab.run(1)
    listener.job.end()
    await lab.run(5, lambda: listener.is_done)
    assert [chunk.is_flush for chunk in listener.chunks] == [False, False, True] * 2 + [False]
    chunks = [chunk for chunk in listener.chunks if not chunk.is_flush]
    assert [chunk.index for chunk in chunks] == [0, 1, 2, 3, 4]
    assert [round(chunk.start_s, 2) for chunk in chunks] == [0.0, 0.08, 0.16, 0.24, 0.32]
    assert [chunk.is_final for chunk in chunks] == [False] * 4 + [True]
    assert chunks[-1].pcm == b"" and chunks[-1].duration_s == 0 and len(chunks[0].pcm) == 3840
    assert lab.engine.texts() == ["One sentence.", "One sentence. Another."]
    prefix = lab.engine.prefixes[1]
    assert prefix is not None
    np.testing.assert_array_equal(prefix, [[1] * NUM_CODEBOOKS, [2] * NUM_CODEBOOKS])


async def test_a_flush_is_over_when_its_last_frame_is_out() -> None:
    """Its mark comes behind its own audio and before that of later text."""
    lab = Lab(FakeEngine(frames_per_segment=2))
    listener = lab.speak()
    give(listener.job, "One sentence. ")
    listener.job.flush()
    give(listener.job, "And another one, that is no")
    await lab.run(0.3)
    listener.job.flush()
    listener.job.end()
    await lab.run(5, lambda: listener.is_done)
    marks = [chunk.is_flush for chunk in listener.chunks]
    assert marks[:3] == [False, False, True] and marks[-2:] == [True, False] and sum(marks) == 2
    assert listener.chunks[2].pcm == b"" and listener.chunks[2].char_end == listener.chunks[3].char_start
    assert listener.chunks[-1].is_final and listener.chunks[-2].char_end == listener.chunks[-3].char_end


async def test_the_parts_of_all_chunks_are_the_text() -> None:
    """Every chunk says which part of the text it speaks; joined they are the text."""
    lab = Lab(FakeEngine(frames_per_segment=9))
    listener = lab.speak(SENTENCE * 3)
    await lab.run(9, lambda: listener.is_done)
    spans = [(chunk.char_start, chunk.char_end) for chunk in listener.chunks]
    assert all(a[1] == b[0] for a, b in zip(spans, spans[1:], strict=False))
    assert spans[0][0] == 0 and spans[-1][1] == len(SENTENCE * 3) and spans[3][1] > 3


async def test_a_segment_that_ends_at_once_is_tried_again() -> None:
    """A model that stops before its first frame is asked again, and spoken text is not lost."""
    lab = Lab(FakeEngine(frames_per_segment=2, silent_attempts=3))
    listener = lab.speak("Hello.")
    await lab.run(9, lambda: listener.is_done)
    assert len(listener.chunks) == 3 and lab.engine.texts() == ["Hello."] * 4


async def test_a_model_that_never_speaks_is_an_error() -> None:
    """After five attempts the stream ends with NoAudio."""
    lab = Lab(FakeEngine(silent_attempts=100))
    listener = lab.speak("Hello.")
    await lab.run(9, lambda: listener.is_done)
    assert isinstance(listener.error, NoAudio) and len(lab.engine.texts()) == 5


async def test_a_runaway_segment_is_ended(caplog: pytest.LogCaptureFixture) -> None:
    """A model that does not stop is stopped, with a warning, and the stream ends as it should."""
    lab = Lab(FakeEngine(frames_per_segment=10_000))
    with caplog.at_level(logging.WARNING):
        listener = lab.speak("Hi.")
        await lab.run(60, lambda: listener.is_done)
    assert 20 <= len(listener.chunks) <= 30 and caplog.text.count("ran on longer") == 1


class Silent(FakeEngine):
    """Speaks nothing but silence."""

    def step(self, slots: object) -> list[Frame]:
        frames = super().step(slots)  # type: ignore[arg-type]
        return [Frame(frame.kind, frame.codes, bytes(len(frame.pcm)), frame.is_whole) for frame in frames]


@pytest.mark.parametrize(("text", "frames"), [("Hello there my friend.", 25), ("Wait [pause 4s] now.", 100)])
async def test_a_segment_that_falls_silent_is_ended(
    text: str, frames: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Two seconds of silence end a segment, unless its text asks for a pause."""
    lab = Lab(Silent(frames_per_segment=100))
    with caplog.at_level(logging.WARNING):
        listener = lab.speak(text)
        await lab.run(60, lambda: listener.is_done)
    assert len(listener.chunks) == frames + 1
    assert ("fell silent" in caplog.text) is (frames == 25)


class Late(FakeEngine):
    """Makes nothing in every second step, as if the codes of a frame came in several rows."""

    is_early = False

    def step(self, slots: object) -> list[Frame]:
        self.is_early = not self.is_early
        if not self.is_early:
            return super().step(slots)  # type: ignore[arg-type]
        codes = np.zeros(NUM_CODEBOOKS, np.int64)
        return [Frame(FrameKind.NOTHING, codes, b"", False) for _ in slots]  # type: ignore[attr-defined]


async def test_a_step_that_makes_nothing_is_no_audio() -> None:
    """The listener gets every frame once, numbered without gaps, and nothing else."""

    async def heard(engine: FakeEngine) -> list[tuple[int, bytes]]:
        lab = Lab(engine)
        listener = lab.speak(SENTENCE)
        await lab.run(30, lambda: listener.is_done)
        return [(chunk.index, chunk.pcm) for chunk in listener.chunks]

    wanted = await heard(FakeEngine(frames_per_segment=9))
    assert await heard(Late(frames_per_segment=9)) == wanted and len(wanted) == 10


async def test_what_the_consumer_breaks_off_ends_with_its_error() -> None:
    """Also while the stream waits in the queue."""
    lab = Lab(FakeEngine(max_streams=1, frames_per_segment=50))
    listeners = [lab.speak(SENTENCE) for _ in range(2)]
    await lab.run(0.3)
    for listener in listeners:
        listener.job.break_off(ConnectionError("the LLM is gone"))
    await lab.run(1, lambda: all(listener.is_done for listener in listeners))
    assert all(isinstance(listener.error, ConnectionError) for listener in listeners)


async def test_text_that_waits_is_counted() -> None:
    """What was given and not begun waits; when some is taken the consumer is told."""
    lab = Lab(FakeEngine(frames_per_segment=50))
    listener = lab.speak()
    give(listener.job, SENTENCE * 20)
    assert listener.job.num_waiting == len(SENTENCE * 20)
    await lab.run(0.3)
    assert 0 < listener.job.num_waiting < len(SENTENCE * 20)
    await asyncio.sleep(0)


def test_what_fails_inside_is_an_engine_error() -> None:
    """Errors of ours stay as they are; others are translated and kept as the cause."""
    ours, other = TextError("x"), ZeroDivisionError("y")
    translated = as_moss_error(other)
    assert as_moss_error(ours) is ours
    assert isinstance(translated, EngineError) and translated.__cause__ is other
