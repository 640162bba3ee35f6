from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator

import pytest
from fakes import FakeEngine
from virtual_time import Lab

from moss_stream.config import SynthesisOptions
from moss_stream.errors import StreamEnded, TextError
from moss_stream.inbox import Feed, draw


def fed(lab: Lab) -> tuple[Feed, list[int]]:
    """A feed into a stream, and how often it woke the engine."""
    woken: list[int] = []
    feed = Feed(lambda: woken.append(1))
    job = lab.speak().job
    job._on_taken = feed.taken
    feed.attach(job)
    return feed, woken


async def test_text_reaches_the_turn_as_it_is_read_out() -> None:
    """Marks split across pieces are taken out; what was written is kept for what was heard."""
    lab = Lab(FakeEngine())
    feed, woken = fed(lab)
    for piece in ("Say *", "*yes*", "* now."):
        await feed.write(piece)
    await feed.end()
    await lab.run(3, lambda: lab.listeners[0].is_done)
    assert lab.engine.texts() == ["Say yes now."] and woken
    assert lab.listeners[0].job.turn.timeline.written == "Say **yes** now."


async def test_flush_speaks_what_waits_in_a_mark() -> None:
    """An open bracket might become a link; flushed, it is read out."""
    lab = Lab(FakeEngine())
    feed, _ = fed(lab)
    await feed.write("See [the page")
    await feed.flush()
    await lab.run(3, lambda: bool(lab.listeners[0].chunks))
    assert lab.engine.texts() == ["See [the page"]


async def test_a_writer_waits_while_much_text_waits() -> None:
    """It goes on when some was taken to be spoken, and is told when the feed is closed."""
    feed, _ = fed(lab := Lab(FakeEngine(frames_per_segment=50)))
    lab.listeners[0].job._on_taken = feed.taken
    writing = asyncio.create_task(feed.write("This is a sentence. " * 500))
    await asyncio.sleep(0)
    waiting = lab.listeners[0].job.num_waiting
    assert 1000 <= waiting <= 1500 and not writing.done()
    await lab.run(20)
    assert len(lab.listeners[0].job.turn.timeline.written) > waiting
    feed.close()
    with pytest.raises(StreamEnded):
        await writing


@pytest.mark.parametrize("bad", [7, b"bytes", None])
async def test_what_is_no_text_is_an_error(bad: object) -> None:
    """The message says what to give."""
    feed, _ = fed(Lab(FakeEngine()))
    with pytest.raises(TextError, match="str was expected"):
        await feed.write(bad)


async def test_drawing_ends_with_the_text_or_with_its_error() -> None:
    """All pieces are given, then the end; an error of the text becomes the stream's."""

    async def failing() -> AsyncIterator[str]:
        yield "This much. "
        raise ConnectionError("gone")

    for text, error in (("Hello.", None), (["Hel", "lo."], None), (failing(), ConnectionError)):
        lab = Lab(FakeEngine())
        feed, _ = fed(lab)
        await draw(text, feed, lab.listeners[0].job)
        await lab.run(5, lambda lab=lab: lab.listeners[0].is_done)  # type: ignore[misc]
        assert isinstance(lab.listeners[0].error, error or type(None))


async def write(lab: Lab, feed: Feed, *deltas: str) -> None:
    """Give text while the engine works."""

    async def give() -> None:
        for delta in deltas:
            await feed.write(delta)

    giving = asyncio.create_task(give())
    await lab.run(10_000, lambda: giving.done())
    await giving


async def test_text_that_is_never_read_out_has_a_limit() -> None:
    """A code block that is never closed ends the stream with a sentence; until then it may be long."""
    for deltas in (["```\n", *["x = 1\n" * 1000] * 200], ["```\n" + "x = 1\n" * 200_000]):
        feed, _ = fed(lab := Lab(FakeEngine()))
        with pytest.raises(TextError, match="never closed"):
            await write(lab, feed, *deltas)
        await lab.run(1)
        assert isinstance(lab.listeners[0].error, TextError)
    feed, _ = fed(lab := Lab(FakeEngine()))
    block = "```\n" + "x = 1\n" * 100_000 + "```\nSo much for that.\n"
    await write(lab, feed, block, block, block)
    assert lab.listeners[0].error is None


async def test_a_text_of_one_segment_has_a_limit() -> None:
    """With a wanted length nothing is spoken before the end, so nothing else would stop it."""
    lab = Lab(FakeEngine())
    feed = Feed(lambda: None)
    feed.attach(lab.speak(options=SynthesisOptions(tokens=100)).job)
    lab.listeners[0].job._on_taken = feed.taken
    with pytest.raises(TextError, match="one segment"):
        await write(lab, feed, "word " * 30_000)


async def test_what_is_held_back_does_not_stop_the_text_that_decides_it() -> None:
    """An address is held back up to its end, which is farther away than text may wait."""
    for options in (SynthesisOptions(), SynthesisOptions(tokens=100)):
        lab = Lab(FakeEngine())
        feed = Feed(lambda: None)
        feed.attach(lab.speak(options=options).job)
        lab.listeners[0].job._on_taken = feed.taken
        await write(lab, feed, "See https://example.com/" + "a" * 1_900 + " now. ", "And so on.")
        await feed.end()
        await lab.run(60, lambda lab=lab: lab.listeners[0].is_done)  # type: ignore[misc]
        assert lab.listeners[0].error is None


async def test_the_written_text_takes_the_memory_of_its_characters() -> None:
    """A string for every token of a Chinese text would take twenty times as much."""
    feed, _ = fed(lab := Lab(FakeEngine()))
    await feed.write("```\n")
    tracemalloc.start()
    for number in range(20_000):
        await feed.write(chr(0x4E00 + number))
        lab.listeners[0].job.poll(lab.engine, lab.prompts, lab.now_s)
        await asyncio.sleep(0)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 20 * 20_000 and len(lab.listeners[0].job.turn.timeline.written) == 4 + 20_000


async def test_a_writer_is_released_when_the_stream_fails() -> None:
    """Also when nobody reads the stream; what it has not given is not silently lost."""
    feed, _ = fed(lab := Lab(FakeEngine(frames_per_segment=50)))
    lab.listeners[0].job._on_taken = feed.taken
    lab.listeners[0].is_reading = False
    writing = asyncio.create_task(feed.write("This is a sentence. " * 500))
    await asyncio.sleep(0)
    assert not writing.done()
    lab.listeners[0].job.break_off(ConnectionError("the line is cut"))
    await lab.run(1)
    assert writing.done()
    with pytest.raises(StreamEnded):
        await writing
