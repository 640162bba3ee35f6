from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeEngine, synthesizer_on

from moss_stream import StreamingSynthesizer, TextError

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
        (StopAsyncIteration(), RuntimeError),
        (BaseExceptionGroup("several", [asyncio.CancelledError()]), TextError),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_however_a_source_breaks_off_the_stream_ends_with_an_error(
    source: Callable[[BaseException], Any], error: BaseException, kind: type[Exception]
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
