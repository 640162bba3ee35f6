from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from fakes import FakeEngine, synthesizer_on
from moss_stream.adapters.playout import Playout
from moss_stream.adapters.reply import Reply

from moss_stream import StreamingSynthesizer, SynthesisStream, TextError, TurnState

Pair = tuple[StreamingSynthesizer, FakeEngine]


async def test_text_goes_in_and_speech_comes_out_with_its_words(fake: Pair) -> None:
    """At the rate that was asked for."""
    synth, _ = fake
    reply = Reply(synth, 48_000)
    reply.write("Hello ")
    reply.write("there.")
    reply.end()
    parts = [part async for part in reply.speak(synth.stream)]
    assert len(b"".join(part.pcm for part in parts)) / 2 / 48_000 == pytest.approx(3 * 0.08, abs=0.001)
    assert [word.text for part in parts for word in part.words] == ["Hello", " there."]


async def test_closing_it_stops_the_engine_and_what_was_not_played_was_not_heard() -> None:
    """The engine works ahead of what the player has played, by two seconds."""
    clock = [0.0]
    playout = Playout(lambda: clock[0])
    streams: list[SynthesisStream] = []

    def make(text: AsyncIterator[str]) -> SynthesisStream:
        streams.append(synth.stream(text))
        return streams[0]

    async with await synthesizer_on(FakeEngine(frames_per_segment=100)) as synth:
        reply = Reply(synth, 24_000, playout.begin())
        reply.write("A long text that nobody hears to its end.")
        reply.end()
        async with aclosing(reply.speak(make)) as parts:
            for _ in range(20):
                await anext(parts)
            clock[0] = 0.8
        assert streams[0].state is TurnState.CANCELLED
        assert (await streams[0].cancel()).seconds == pytest.approx(0.8)


async def test_what_the_stream_raises_is_raised(fake: Pair) -> None:
    """Nothing to say."""
    synth, _ = fake
    played = Playout(lambda: 0.0).begin()
    reply = Reply(synth, 24_000, played)
    reply.end()
    with pytest.raises(TextError):
        [part async for part in reply.speak(synth.stream)]
    assert played.is_over
    await reply.cancel()
