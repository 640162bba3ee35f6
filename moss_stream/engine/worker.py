"""The thread that owns the engine. No torch here: it drives the `Engine` protocol."""

from __future__ import annotations

import asyncio
import atexit
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from moss_stream.engine.job import SpeechJob, as_moss_error
from moss_stream.engine.loop import EngineLoop
from moss_stream.engine.protocol import Engine, EngineInfo
from moss_stream.engine_metrics import EngineMetrics
from moss_stream.errors import MossError, SynthesizerClosed
from moss_stream.text.prompt import Codes

__all__ = ["Worker"]

T = TypeVar("T")

EXIT_TIMEOUT_S = 5.0
"""How long the end of a program that forgot to close waits for the frame that is being made."""

CLOSED = "The synthesizer is closed. Load a new one with StreamingSynthesizer.load()."


class Worker:
    """Loads an engine on a thread of its own and runs streams on it.

    The thread never waits inside a stream: whenever none has anything to do (no text, or listeners with
    enough audio in hand) it sleeps until something happens.

    Args:
        load: Makes the engine; called on the thread.
        max_queue: Streams that may wait for others to end.
    """

    def __init__(self, load: Callable[[], Engine], max_queue: int = 32) -> None:
        self._load = load
        self._max_queue = max_queue
        self._engine_loop: EngineLoop | None = None
        self._wake = threading.Event()
        self._engine: Engine | None = None
        self._is_closing = self._is_draining = False
        self._recording: deque[tuple[int | None, asyncio.Future[None]]] = deque()
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

    @property
    def clock(self) -> Callable[[], float]:
        """What the engine measures time with."""
        return time.monotonic

    @property
    def failure(self) -> MossError | None:
        """Why no stream can be spoken any more, if that is so."""
        return None if self._engine_loop is None else self._engine_loop.failure

    def metrics(self) -> EngineMetrics:
        """Return what was counted until now."""
        assert self._engine_loop is not None
        return self._engine_loop.metrics()

    def wake(self) -> None:
        """Make the thread look again. Safe on any thread."""
        self._wake.set()

    def submit(self, job: SpeechJob) -> None:
        """Queue a stream.

        Raises:
            SynthesizerClosed: The worker takes no more work.
            DeviceFailed: The device failed before.
        """
        if self._is_closing:
            raise SynthesizerClosed(CLOSED)
        assert self._engine_loop is not None
        if self._engine_loop.failure is not None:
            raise self._engine_loop.failure
        self._engine_loop.submit(job)
        self._wake.set()

    async def record(self, n_vq: int | None = None) -> None:
        """Let the engine make what it would otherwise make while somebody waits; no stream moves meanwhile.

        Raises:
            SynthesizerClosed: The worker is closed.
            EngineError: It failed.
        """
        if self._is_closing:
            raise SynthesizerClosed(CLOSED)
        done: asyncio.Future[None] = self._loop.create_future()
        self._recording.append((n_vq, done))
        self._wake.set()
        await done

    def encode(self, samples: npt.NDArray[np.float32]) -> Codes:
        """Turn mono samples at 24 kHz into codes, on the thread that calls.

        Raises:
            SynthesizerClosed: The worker is closed.
            EngineError: It failed.
        """
        if self._is_closing or self._engine is None:
            raise SynthesizerClosed(CLOSED)
        try:
            return self._engine.encode(samples)
        except Exception as error:
            raise as_moss_error(error) from error

    async def close(self, drain: bool = False) -> None:
        """End all streams with `SynthesizerClosed` and wait for the thread. May be called again.

        Args:
            drain: Let the streams that are there come to their ends first.
        """
        self._is_closing = True
        self._is_draining = drain
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
            self._engine = engine
            self._engine_loop = EngineLoop(engine, self._max_queue, self.clock)
            _post(self._loop, _settle, self._loaded, engine.info, None)
            self._serve(self._engine_loop, engine)
            self._engine = None

    def _serve(self, streams: EngineLoop, engine: Engine) -> None:
        while not self._is_closing or (self._is_draining and streams.is_busy):
            self._record_all(engine)
            wait_s = streams.tick()
            if wait_s != 0.0:
                self._wake.wait(wait_s)
                self._wake.clear()
        streams.fail(SynthesizerClosed(CLOSED))
        while self._recording:
            _post(self._loop, _settle, self._recording.popleft()[1], None, SynthesizerClosed(CLOSED))

    def _record_all(self, engine: Engine) -> None:
        while self._recording:
            error = None
            n_vq, done = self._recording[0]
            try:
                engine.record(n_vq)
            except Exception as caught:
                error = as_moss_error(caught)
            self._recording.popleft()
            _post(self._loop, _settle, done, None, error)


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
