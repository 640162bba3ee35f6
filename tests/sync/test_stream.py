from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator

import pytest
from fakes import FakeEngine, sync_synthesizer_on
from limits import HANG_S

from moss_stream import StreamConsumed, StreamEnded, StreamError, SynthesisOptions, TurnState
from moss_stream.sync import SyncSynthesizer

Pair = tuple[SyncSynthesizer, FakeEngine]


@pytest.fixture
def fake() -> Iterator[Pair]:
    engine = FakeEngine()
    with sync_synthesizer_on(engine) as synth:
        yield synth, engine


def test_a_generator_goes_in_and_an_iterator_comes_out(fake: Pair) -> None:
    """The text is drawn on a thread; every frame of it comes, and what is known of the stream."""
    synth, _ = fake
    threads = set()

    def deltas() -> Iterator[str]:
        threads.add(threading.current_thread().name)
        yield from ("Hello ", "there, ", "you.")

    stream = synth.stream(deltas(), options=SynthesisOptions(trace=True))
    assert stream.metrics is None
    chunks = list(stream)
    assert chunks[-1].is_final and all(len(chunk.samples) == 1_920 for chunk in chunks[:-1])
    assert threads == {"moss-stream-text"}
    assert stream.state is TurnState.DONE and stream.events
    assert stream.metrics is not None and stream.metrics.audio_s == pytest.approx(0.08 * (len(chunks) - 1))
    assert [word.text for word in stream.words] == ["Hello", "there,", "you."]
    assert stream.expected_rtf is not None
    with pytest.raises(StreamConsumed):
        next(iter(stream))


def test_text_is_pushed_while_another_thread_listens(fake: Pair) -> None:
    """Flushed in the middle, ended, and refused from then on."""
    synth, _ = fake
    stream = synth.stream()

    def write() -> None:
        stream.push("Hello there.")
        stream.flush()
        stream.end(" And you.")

    writer = threading.Thread(target=write)
    writer.start()
    flags = [chunk.is_flush for chunk in stream]
    writer.join(HANG_S)
    assert flags.count(True) == 1 and len(flags) > 4
    with pytest.raises(StreamEnded):
        stream.push("more")


@pytest.mark.parametrize("is_error", [False, True])
def test_leaving_the_loop_stops_the_engine_within_a_frame(is_error: bool) -> None:
    """Only the frame under way is made."""
    gate = threading.Semaphore(2)
    engine = FakeEngine(frames_per_segment=1_000, gate=gate)

    def listen() -> None:
        for chunk in stream:
            if chunk.index == 1:
                if is_error:
                    raise ZeroDivisionError
                break

    with sync_synthesizer_on(engine) as synth:
        stream = synth.stream("A long text that nobody hears to its end.")
        if is_error:
            with pytest.raises(ZeroDivisionError):
                listen()
        else:
            listen()
        gate.release(1_000)
        assert stream.cancel().seconds == pytest.approx(0.16)
        assert engine.num_steps <= 3


def test_leaving_with_stops_the_engine() -> None:
    """When it is left, the stream is over."""
    with sync_synthesizer_on(FakeEngine(frames_per_segment=1_000)) as synth:
        with synth.stream("A long text that nobody hears to its end.") as stream:
            assert next(iter(stream)).pcm
        assert stream.state is TurnState.CANCELLED


def test_what_was_heard_is_what_a_player_says(fake: Pair) -> None:
    """A callback tells the position."""
    synth, _ = fake
    stream = synth.stream("Hello there, you.")
    stream.attach(lambda: 0.0)
    assert next(iter(stream)).pcm
    assert stream.cancel().text == ""


def test_an_asynchronous_text_must_not_wait_for_its_own_thread(fake: Pair) -> None:
    """It is an error, not a deadlock."""
    synth, _ = fake

    async def deltas() -> AsyncIterator[str]:
        synth.say("Hello.")
        yield "Hello."

    with pytest.raises(StreamError, match="plain generator"):
        list(synth.stream(deltas()))


def test_what_is_dropped_after_the_end_disturbs_nobody() -> None:
    """An iterator that lives longer than its synthesizer."""
    with sync_synthesizer_on(FakeEngine(frames_per_segment=50)) as synth:
        chunks = iter(synth.stream("Hello there."))
        assert next(chunks).pcm
    del chunks
