"""An event loop on a thread of its own, which other threads call into."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from moss_stream.errors import StreamError, SynthesizerClosed

__all__ = ["LoopThread"]

T = TypeVar("T")

CLOSED = "The synthesizer is closed. Load a new one with moss_stream.sync.load()."


class LoopThread:
    """Runs coroutines for threads that wait for them.

    Whoever is interrupted while it waits (Ctrl-C) cancels what it waits for. The thread is a daemon: it keeps
    no program from ending.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._ending = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="moss-stream-loop", daemon=True)
        self._thread.start()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop; return its result.

        Raises:
            StreamError: It is called on the loop's own thread, which would wait for itself.
            SynthesizerClosed: The loop was closed, perhaps meanwhile.
        """
        if self._is_current:
            coroutine.close()
            raise StreamError(
                "This was called from inside an asynchronous text, and would wait for itself for ever. "
                "Draw the text from a plain generator, or use moss_stream.StreamingSynthesizer."
            )
        waiting = self._begin(coroutine)
        try:
            return waiting.result()
        except concurrent.futures.CancelledError as error:  # with the loop
            raise SynthesizerClosed(CLOSED) from error
        except BaseException:
            waiting.cancel()
            raise

    def clean_up(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine, if the loop is still there. Garbage may be collected on any thread, so on any."""
        with contextlib.suppress(SynthesizerClosed):
            if self._is_current:
                self._begin(coroutine)
            else:
                self.call(coroutine)

    def close(self) -> None:
        """End the loop, and with it what still runs there. May be called again."""
        with contextlib.suppress(RuntimeError):  # it is closed already
            self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()

    @property
    def _is_current(self) -> bool:
        return threading.current_thread() is self._thread

    def _begin(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError as error:
            coroutine.close()
            raise SynthesizerClosed(CLOSED) from error

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._until_closed())

    async def _until_closed(self) -> None:
        await self._ending.wait()
