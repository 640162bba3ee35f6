from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import numpy as np
import pytest
from fakes import FakeEngine, synthesizer_on

from moss_stream import (
    AudioChunk,
    EngineOptions,
    StreamConsumed,
    StreamEnded,
    StreamingSynthesizer,
    SynthesisOptions,
    TextError,
    TurnState,
    Voice,
)
from moss_stream.text_source import Text

Pair = tuple[StreamingSynthesizer, FakeEngine]


async def deltas(*parts: str) -> AsyncIterator[str]:
    for part in parts:
        await asyncio.sleep(0)
        yield part


async def collect(stream: AsyncIterator[AudioChunk]) -> list[AudioChunk]:
    return [chunk async for chunk in stream]


@pytest.mark.parametrize("kind", ["str", "list", "generator", "async"])
async def test_every_kind_of_text_is_spoken(fake: Pair, kind: str) -> None:
    """A str, an iterable, a generator and an asynchronous one say the same."""
    synth, engine = fake
    parts = ["This is the first sentence. Th", "is is the second one."]
    texts: dict[str, Text] = {
        "str": "".join(parts),
        "list": parts,
        "generator": iter(parts),
        "async": deltas(*parts),
    }
    chunks = [chunk async for chunk in synth.stream(texts[kind])]
    assert chunks[-1].is_final
    assert engine.texts()[-1] == "This is the first sentence. This is the second one."


async def test_text_can_be_pushed(fake: Pair) -> None:
    """Pushed, flushed and ended by hand, a text is spoken as one that is drawn."""
    synth, engine = fake
    async with synth.stream() as stream:
        await stream.push("This is pus")
        await stream.push("hed")
        await stream.flush()
        chunks = aiter(stream)
        first = await anext(chunks)
        await stream.push(", and on it goes.")
        await stream.end()
        await stream.end()
        rest = [chunk async for chunk in chunks]
    assert engine.texts() == ["This is pushed", "This is pushed, and on it goes."]
    assert "".join("This is pushed, and on it goes."[c.char_start : c.char_end] for c in [first, *rest]) == (
        "This is pushed, and on it goes."
    )


async def test_pushing_where_nothing_can_be_pushed_is_an_error(fake: Pair) -> None:
    """After the end, after a cancel, and into a stream that draws its text, push says so."""
    synth, _ = fake
    async with synth.stream() as ended:
        await ended.push("Hello.")
        await ended.end()
        with pytest.raises(StreamEnded, match="takes no more text"):
            await ended.push("more")
        with pytest.raises(StreamEnded):
            await ended.flush()
    cancelled = synth.stream()
    await cancelled.push("Hello.")
    await cancelled.cancel()
    for stream, why in ((cancelled, "takes no more text"), (synth.stream("Hi."), "draws its text itself")):
        with pytest.raises(StreamEnded, match=why):
            await stream.push("more")
    with pytest.raises(TextError, match="str was expected"):
        await synth.stream().push(7)  # type: ignore[arg-type]


async def test_a_stream_that_ends_was_spoken_whole(fake: Pair) -> None:
    """After its last chunk a stream is done, its words have times, and all of it was heard."""
    synth, _ = fake
    stream = synth.stream("Two **words**.")
    async for _ in stream:
        pass
    assert stream.state is TurnState.DONE
    assert [word.text for word in stream.words] == ["Two", "words**."]
    spoken = await stream.cancel()
    assert spoken.text == "Two **words**." and spoken.exact and stream.state is TurnState.DONE


async def test_a_sink_says_what_was_heard(fake: Pair) -> None:
    """With an attached position nothing is made far ahead of it, and cancel goes by it."""
    synth, engine = fake
    engine.frames_per_segment = 1000
    async with synth.stream("alpha beta gamma delta. " * 20) as stream:
        stream.attach(lambda: 0.0)
        count = 0
        async for _ in stream:
            count += 1
            if count == 25:  # 2 s, the high mark
                break
        assert engine.num_steps <= 26
        spoken = await stream.cancel()
    assert (spoken.text, spoken.seconds, spoken.exact) == ("", 0.0, True)


async def test_markdown_is_not_read_out(fake: Pair) -> None:
    """What a language model writes for the eye does not reach the model, also when deltas split it."""
    synth, engine = fake
    parts = ["# He", "re\n*", "*Bold** wo", "rds 👍 and [a li", "nk](http", "s://x.y)."]
    async for _ in synth.stream(deltas(*parts)):
        pass
    assert engine.texts()[-1] == "Here\nBold words and a link."


async def test_the_first_sentence_is_spoken_before_the_text_is_complete(fake: Pair) -> None:
    """Audio comes while the text is still being written."""
    synth, engine = fake
    go_on = asyncio.Event()

    async def text() -> AsyncIterator[str]:
        yield "This is the first sentence. "
        await go_on.wait()
        yield "And this the second."

    indices = []
    async for chunk in synth.stream(text()):
        indices.append(chunk.index)
        if chunk.index == 0:
            go_on.set()
    assert indices == list(range(7))


async def test_a_wanted_length_keeps_the_text_in_one_segment(fake: Pair) -> None:
    """With `tokens` the whole text is one prompt that names the length."""
    synth, engine = fake
    text = deltas("This is the first sentence. ", "This is the second one.")
    async for _ in synth.stream(text, options=SynthesisOptions(tokens=30)):
        pass
    assert engine.texts() == ["This is the first sentence. This is the second one."]


async def test_iterating_twice_is_an_error(fake: Pair) -> None:
    """A stream that was read says that its audio is gone."""
    synth, _ = fake
    stream = synth.stream("Hello.")
    async for _ in stream:
        pass
    with pytest.raises(StreamConsumed, match="iterated already"):
        async for _ in stream:
            pass


async def test_a_slow_consumer_halts_the_model() -> None:
    """Nothing is made further ahead than the bound."""
    engine = FakeEngine(frames_per_segment=1000)
    async with await synthesizer_on(engine, EngineOptions(max_lead_ms=400)) as synth:
        async with synth.stream("A long sentence.") as stream:
            chunks = aiter(stream)
            await anext(chunks)
            other = [chunk async for chunk in synth.stream("Another one.")]
        assert engine.batches.count((1,)) > 0 and len(other) > 20
        assert sum(0 in batch for batch in engine.batches) <= 7


async def test_an_endless_text_is_not_drawn_without_bound() -> None:
    """Text is drawn as it is spoken, not all at once."""
    engine = FakeEngine(frames_per_segment=1000)
    drawn = 0

    def text() -> Iterator[str]:
        nonlocal drawn
        while True:
            drawn += 1
            yield f"This is sentence number {drawn}, and on it goes. "

    async with await synthesizer_on(engine, EngineOptions(max_lead_ms=400)) as synth:
        async with synth.stream(text()) as stream:
            await anext(aiter(stream))
            async for _ in synth.stream("Another one, for the time it takes."):
                pass
    assert drawn < 40


async def test_what_the_text_raises_reaches_the_reader(fake: Pair) -> None:
    """An error of the LLM's stream comes out of the audio stream."""
    synth, _ = fake

    async def text() -> AsyncIterator[str]:
        yield "This much was written. "
        raise ConnectionError("the LLM is gone")

    with pytest.raises(ConnectionError, match="the LLM is gone"):
        await collect(aiter(synth.stream(text())))
    assert len([chunk async for chunk in synth.stream("Still here.")]) == 4


@pytest.mark.parametrize("bad", [[1, 2], [b"bytes"], [None, "x"]])
async def test_text_that_is_no_str_is_an_error(fake: Pair, bad: list[object]) -> None:
    """A delta of another type says what to yield."""
    synth, _ = fake
    with pytest.raises(TextError, match="str was expected"):
        await collect(aiter(synth.stream(bad)))  # type: ignore[arg-type]


async def test_chunks_are_views_of_int16(fake: Pair) -> None:
    """`samples` are the PCM's numbers."""
    synth, _ = fake
    chunks = await collect(aiter(synth.stream("Hello.")))
    np.testing.assert_array_equal(chunks[1].samples[:-1], np.full(1919, 2))
    assert chunks[0].sample_rate == 24_000


async def test_the_gain_of_a_voice_reaches_the_engine(fake: Pair) -> None:
    """Every segment is as loud as its voice; without one nothing is changed."""
    synth, engine = fake
    voice = Voice(np.zeros((5, 4), np.int64), "quiet", gain=0.5)
    await collect(aiter(synth.stream("One sentence. And another one.", voice=voice)))
    assert set(engine.gains) == {0.5}
    engine.gains.clear()
    await collect(aiter(synth.stream("Hello.")))
    assert engine.gains == [1.0]
