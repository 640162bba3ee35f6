from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeEngine, synthesizer_on

from moss_stream import StreamEnded, StreamingSynthesizer, TextError

SECONDS = 60
"""A limit for hangs."""


async def ends(synth: StreamingSynthesizer, text: Any) -> BaseException | None:
    """Return what a stream of `text` ends with; None if it was spoken."""
    try:
        async with asyncio.timeout(SECONDS):
            async for _ in synth.stream(text):
                pass
    except TimeoutError:
        raise
    except BaseException as error:
        return error
    return None


class Odd(Exception):
    """What somebody's source may raise."""


def asynchronous(error: BaseException) -> AsyncIterator[str]:
    async def source() -> AsyncIterator[str]:
        yield "Hello there. "
        raise error

    return source()


def blocking(error: BaseException) -> Iterator[str]:
    class Source:
        def __init__(self) -> None:
            self.parts = iter(["Hello there. "])

        def __iter__(self) -> Iterator[str]:
            return self

        def __next__(self) -> str:
            for part in self.parts:
                return part
            raise error

    return Source()


@pytest.mark.parametrize("source", [asynchronous, blocking])
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Odd("out of tokens"), Odd),
        (asyncio.CancelledError(), TextError),
        (GeneratorExit(), TextError),
        (StopAsyncIteration(), (RuntimeError, TextError)),
        (BaseExceptionGroup("several", [asyncio.CancelledError()]), TextError),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_however_a_source_breaks_off_the_stream_ends_with_an_error(
    source: Callable[[BaseException], Any],
    error: BaseException,
    kind: type[Exception] | tuple[type[Exception], ...],
) -> None:
    """Nobody waits for ever, and the synthesizer goes on."""
    async with await synthesizer_on(FakeEngine()) as synth:
        assert isinstance(await ends(synth, source(error)), kind)
        assert await ends(synth, "Still here.") is None


async def test_what_is_no_source_is_an_error() -> None:
    """Things that cannot be drawn from, and an iterator whose step cannot be awaited."""

    class NoAwaitable:
        def __aiter__(self) -> NoAwaitable:
            return self

        def __anext__(self) -> int:
            return 3

    async with await synthesizer_on(FakeEngine()) as synth:
        for text in (7, NoAwaitable(), [b"bytes"]):
            assert isinstance(await ends(synth, text), TypeError | TextError)


async def test_a_source_that_feeds_on_an_ended_stream_ends_its_own() -> None:
    """Another stream's StreamEnded is an error of the text, and not this stream's own end."""

    async def source() -> AsyncIterator[str]:
        yield "Hello there. "
        other = synth.stream()
        await other.cancel()
        await other.push("Too late.")

    async with await synthesizer_on(FakeEngine()) as synth:
        assert isinstance(await ends(synth, source()), StreamEnded)


async def test_whoever_cancels_the_drawing_does_not_leave_the_reader_waiting() -> None:
    """A program that cancels every task it finds, for instance."""

    async def silent() -> AsyncIterator[str]:
        others = asyncio.all_tasks() - before - {asyncio.current_task()}
        assert not others
        asyncio.current_task().cancel()  # type: ignore[union-attr]
        await asyncio.Event().wait()
        yield "never"

    async with await synthesizer_on(FakeEngine()) as synth:
        reading = asyncio.create_task(ends(synth, silent()))
        before = {asyncio.current_task(), reading}
        assert isinstance(await reading, TextError)


async def test_a_source_may_take_for_ever_to_close() -> None:
    """Its text is spoken to the end all the same, or its error told."""

    class Slow:
        def __init__(self, error: Exception | None) -> None:
            self._left: list[str | Exception] = ["Hello there.", *([] if error is None else [error])]

        def __aiter__(self) -> Slow:
            return self

        async def __anext__(self) -> str:
            if not self._left:
                raise StopAsyncIteration
            item = self._left.pop(0)
            if isinstance(item, Exception):
                raise item
            return item

        async def aclose(self) -> None:
            await asyncio.Event().wait()

    async with await synthesizer_on(FakeEngine()) as synth:
        assert await ends(synth, Slow(None)) is None
        assert isinstance(await ends(synth, Slow(ConnectionError("gone"))), ConnectionError)


async def test_a_source_whose_error_cannot_pass_a_coroutine_is_an_error_of_ours() -> None:
    """StopIteration out of an asynchronous iterator says nothing about its end."""

    class Confused:
        def __aiter__(self) -> Confused:
            return self

        def __anext__(self) -> Any:
            raise StopIteration

    async with await synthesizer_on(FakeEngine()) as synth:
        assert isinstance(await ends(synth, Confused()), TextError)


async def test_a_source_that_cannot_be_closed_is_still_spoken(caplog: pytest.LogCaptureFixture) -> None:
    """What it raises on closing is logged, and lost is nothing."""

    class Unclosable:
        def __init__(self) -> None:
            self.parts = ["Hello."]

        def __aiter__(self) -> Unclosable:
            return self

        async def __anext__(self) -> str:
            if not self.parts:
                raise StopAsyncIteration
            return self.parts.pop()

        async def aclose(self) -> None:
            raise OSError("already gone")

    async with await synthesizer_on(FakeEngine()) as synth:
        assert await ends(synth, Unclosable()) is None
    assert "could not be closed" in caplog.text


async def test_sources_are_closed_when_nobody_listens_any_more() -> None:
    """Asynchronous ones at once, blocking ones when they are back."""
    closed = dict.fromkeys(("async", "sync"), False)
    gone = threading.Event()

    async def asynchronous() -> AsyncIterator[str]:
        try:
            while True:
                yield "On and on it goes. "
        finally:
            closed["async"] = True

    def blocking() -> Iterator[str]:
        try:
            while True:
                yield "On and on it goes. "
        finally:
            closed["sync"] = True
            gone.set()

    async with await synthesizer_on(FakeEngine(frames_per_segment=5)) as synth:
        for text in (asynchronous(), blocking()):
            async with synth.stream(text) as stream:
                await anext(aiter(stream))
        async with asyncio.timeout(SECONDS):
            while not closed["async"]:
                await asyncio.sleep(0)
        assert await asyncio.to_thread(gone.wait, SECONDS)


async def test_an_iterator_that_never_returns_holds_nobody_up() -> None:
    """Cancelling the stream, closing the synthesizer and ending the program do not wait for it."""
    never = threading.Event()

    def blocked() -> Iterator[str]:
        yield "Hello there, this is the beginning. "
        never.wait()

    async with await synthesizer_on(FakeEngine()) as synth:
        async with asyncio.timeout(SECONDS), synth.stream(blocked()) as stream:
            await anext(aiter(stream))
    reading = [thread for thread in threading.enumerate() if thread.name == "moss-stream-text"]
    assert all(thread.daemon for thread in reading)
    never.set()


async def test_a_voice_whose_encoding_is_cancelled_ends_its_stream(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A cancellation that nobody asked for is an error of the stream, like any other."""
    recording = tmp_path / "recording.wav"
    recording.touch()

    async def cancelled(self: StreamingSynthesizer, reference: object) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(StreamingSynthesizer, "encode_voice", cancelled)
    async with await synthesizer_on(FakeEngine()) as synth:
        async with asyncio.timeout(SECONDS):
            with pytest.raises(Exception, match="CancelledError"):
                async for _ in synth.stream("Hello.", voice=recording):
                    pass
