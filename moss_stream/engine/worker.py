"""The thread that owns the engine. No torch here: it drives the `Engine` protocol."""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from moss_stream.engine.job import SpeechJob, as_moss_error
from moss_stream.engine.protocol import Engine, EngineInfo
from moss_stream.errors import SynthesizerClosed

__all__ = ["Worker"]

T = TypeVar("T")

EXIT_TIMEOUT_S = 5.0
"""How long the end of a program that forgot to close waits for the frame that is being made."""

CLOSED = "The synthesizer is closed. Load a new one with StreamingSynthesizer.load()."


class Worker:
    """Loads an engine on a thread of its own and runs streams on it, one after the other.

    The thread never waits inside a stream: whenever the current one has nothing to do (no text, or
    a consumer with enough audio in hand) it sleeps until something happens, and short calls such as
    encoding a voice are served between two frames.

    Args:
        load: Makes the engine; called on the thread.
    """

    def __init__(self, load: Callable[[], Engine]) -> None:
        self._load = load
        self._wake = threading.Event()
        self._calls: deque[Callable[[Engine], None]] = deque()
        self._streams: deque[SpeechJob] = deque()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="moss-stream-engine", daemon=True)
        self._loaded: asyncio.Future[EngineInfo]

    async def start(self) -> EngineInfo:
        """Load the engine; return what it says of itself.

        Cancelling it ends the thread once loading is through.

        Raises:
            MossError: What loading raised.
        """
        self._loop = asyncio.get_running_loop()
        self._loaded = self._loop.create_future()
        self._thread.start()
        # A thread that is inside the model when the interpreter shuts down aborts the process.
        atexit.register(self._stop, EXIT_TIMEOUT_S)
        try:
            return await self._loaded
        except BaseException:
            self._ask_to_stop()
            raise

    @property
    def is_closed(self) -> bool:
        """Whether the worker takes no more work."""
        return self._is_closing

    def wake(self) -> None:
        """Make the thread look again. Safe on any thread."""
        self._wake.set()

    def submit(self, job: SpeechJob) -> None:
        """Queue a stream."""
        if self._is_closing:
            raise SynthesizerClosed(CLOSED)
        self._streams.append(job)
        self._wake.set()

    async def call(self, function: Callable[[Engine], T]) -> T:
        """Run `function` on the thread, between two frames.

        Cancelling it does not stop a function that has begun.

        Raises:
            SynthesizerClosed: The worker is closed, or was before the function's turn came.
            EngineError: The function failed in a way of its own.
        """
        if self._is_closing:
            raise SynthesizerClosed(CLOSED)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def run(engine: Engine) -> None:
            try:
                if self._is_closing:
                    raise SynthesizerClosed(CLOSED)
                result = function(engine)
            except Exception as error:
                _post(loop, _settle, future, None, as_moss_error(error))
            else:
                _post(loop, _settle, future, result, None)

        self._calls.append(run)
        self._wake.set()
        return await future

    async def close(self) -> None:
        """End all streams with `SynthesizerClosed` and wait for the thread. May be called again."""
        self._ask_to_stop()
        await asyncio.shield(asyncio.to_thread(self._stop))

    def _ask_to_stop(self) -> None:
        self._is_closing = True
        self._wake.set()

    def _stop(self, timeout_s: float | None = None) -> None:
        self._ask_to_stop()
        self._thread.join(timeout_s)
        atexit.unregister(self._stop)

    def _run(self) -> None:
        try:
            engine = self._load()
        except Exception as error:
            _post(self._loop, _settle, self._loaded, None, as_moss_error(error))
        else:
            _post(self._loop, _settle, self._loaded, engine.info, None)
            self._serve(engine)

    def _serve(self, engine: Engine) -> None:
        current: SpeechJob | None = None
        while not self._is_closing:
            while self._calls:
                self._calls.popleft()(engine)
            self._drop_abandoned()
            if current is None and self._streams:
                current = self._streams.popleft()
            if current is not None and current.advance(engine):
                current = None if current.is_over else current
            else:
                self._wake.wait()
                self._wake.clear()
        self._end_all(current, engine)

    def _drop_abandoned(self) -> None:
        """Let go of queued streams that nobody waits for, so that their turn need not come first."""
        for job in list(self._streams):
            if job.is_abandoned:
                self._streams.remove(job)
                job.finish()

    def _end_all(self, current: SpeechJob | None, engine: Engine) -> None:
        for job in [current, *self._streams]:
            if job is not None:
                job.fail(SynthesizerClosed(CLOSED))
        while self._calls:
            self._calls.popleft()(engine)


def _settle(future: asyncio.Future[T], result: T, error: BaseException | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)


def _post(loop: asyncio.AbstractEventLoop, callback: Callable[..., None], *args: object) -> None:
    try:
        loop.call_soon_threadsafe(callback, *args)
    except RuntimeError:  # the loop is gone, and whoever waited with it
        pass
