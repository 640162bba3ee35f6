"""Where a stream's text comes from: somebody else's iterator, which may end in any way."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from queue import SimpleQueue

from moss_stream.errors import TextError

__all__ = ["MEANT_FOR_THE_LOOP", "Text", "close_source", "source_of", "why_it_ended"]

Text = str | Iterable[str] | AsyncIterable[str]

logger = logging.getLogger("moss_stream")


MEANT_FOR_THE_LOOP = (asyncio.CancelledError, KeyboardInterrupt, SystemExit)
"""What a task passes on, whatever else it does about it."""


def why_it_ended(error: BaseException) -> BaseException:
    """Return what a stream ends with when its text raised `error`.

    Exceptions stay what they are. What would cancel the reader's own task, end its program or cannot pass
    through a coroutine becomes a TextError.
    """
    if isinstance(error, Exception) and not isinstance(error, StopIteration | StopAsyncIteration):
        return error
    broken = TextError(f"The text broke off: what it is drawn from raised {type(error).__name__}.")
    broken.__cause__ = error
    return broken


def source_of(text: Iterable[str] | AsyncIterable[str]) -> AsyncIterator[object]:
    """Return what yields a text's deltas; a blocking iterator is drawn from on a thread.

    Raises:
        TextError: It is no text.
    """
    try:
        return aiter(text) if isinstance(text, AsyncIterable) else _Drawn(iter(text))
    except TypeError as error:
        raise TextError(
            f"The text is a {type(text).__name__} that cannot be iterated. "
            "Give a str, or an iterable or asynchronous iterable of str; a coroutine has to be awaited first."
        ) from error


async def close_source(source: object) -> None:
    """Close what deltas were drawn from, if it can be closed."""
    close = getattr(source, "aclose", None)
    if close is None:
        return
    try:
        await close()
    except MEANT_FOR_THE_LOOP:
        raise
    except BaseException:
        logger.warning("The source of a text could not be closed.", exc_info=True)


class _Drawn:
    """A blocking iterator, drawn from on a thread of its own.

    The thread is a daemon: an iterator that never returns keeps neither stream nor program from ending.
    """

    def __init__(self, iterator: Iterator[object]) -> None:
        self._iterator = iterator
        self._loop = asyncio.get_running_loop()
        self._asked: SimpleQueue[asyncio.Future[object] | None] = SimpleQueue()
        threading.Thread(target=self._run, name="moss-stream-text", daemon=True).start()

    def __aiter__(self) -> AsyncIterator[object]:
        return self

    async def __anext__(self) -> object:
        future: asyncio.Future[object] = self._loop.create_future()
        self._asked.put(future)
        item = await future
        if item is self:
            raise StopAsyncIteration
        return item

    async def aclose(self) -> None:
        """Let the thread close the iterator when it is back from it; does not wait for that."""
        self._asked.put(None)

    def _run(self) -> None:
        while (future := self._asked.get()) is not None:
            try:
                # Itself stands for the end: StopIteration cannot be raised into a future.
                self._post(future, future.set_result, next(self._iterator, self))
            except BaseException as error:
                self._post(future, future.set_exception, why_it_ended(error))
        close = getattr(self._iterator, "close", None)
        try:
            if close is not None:
                close()
        except BaseException:
            logger.warning("The source of a text could not be closed.", exc_info=True)

    def _post(self, future: asyncio.Future[object], settle: Callable[..., None], value: object) -> None:
        try:
            self._loop.call_soon_threadsafe(lambda: None if future.done() else settle(value))
        except RuntimeError:  # the loop is gone, and whoever waited with it
            pass
