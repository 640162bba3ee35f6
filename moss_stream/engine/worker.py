"""The thread that owns the engine. No torch here: it drives the `Engine` protocol."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from moss_stream.engine.line import WaitingLine
from moss_stream.engine.loop import EngineLoop
from moss_stream.engine.prompts import PromptThreads
from moss_stream.engine.protocol import Engine, EngineInfo
from moss_stream.engine.utterance import SpeechJob, as_moss_error
from moss_stream.engine_metrics import EngineMetrics
from moss_stream.errors import MossError, SynthesizerClosed
from moss_stream.text.message import Codes

__all__ = ["Worker"]

T = TypeVar("T")

EXIT_TIMEOUT_S = 5.0
"""How long the end of a program that forgot to close waits for the frame that is being made."""

CLOSED = "The synthesizer is closed. Load a new one with StreamingSynthesizer.load()."


class Worker:
    """Loads an engine on a thread of its own and runs streams on it.

    The thread never blocks inside a stream. When no stream has work (no text, or listeners with enough audio
    in hand), it sleeps until something happens. Any exception on it ends the stream that it belongs to, or
    all of them, so no consumer waits for ever.

    Args:
        load: Makes the engine; called on the thread.
        max_queue: Streams that may wait for others to end.
        max_queue_s: How long each of them may; None: until there is a slot.
        clock: Seconds, never going back.
    """

    def __init__(
        self,
        load: Callable[[], Engine],
        max_queue: int = 32,
        max_queue_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._line = WaitingLine(max_queue, max_queue_s)
        self._clock = clock
        self._engine_loop: EngineLoop | None = None
        self._wake = threading.Event()
        self._engine: Engine | None = None
        self._is_closing = False
        self._drains_until_s = math.inf
        self._to_capture: deque[tuple[int | None, asyncio.Future[None]]] = deque()
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
        return self._clock

    @property
    def failure(self) -> MossError | None:
        """Why no stream can be spoken any more, if that is so."""
        return None if self._engine_loop is None else self._engine_loop.failure

    def metrics(self) -> EngineMetrics:
        """Return what was counted until now."""
        assert self._engine_loop is not None
        return self._engine_loop.metrics()

    @property
    def expected_rtf(self) -> float | None:
        """The real-time factor that is expected now; None if it is not known."""
        return None if self._engine_loop is None else self._engine_loop.speed.expected_rtf

    def wake(self) -> None:
        """Make the thread look again. Safe on any thread."""
        self._wake.set()

    def submit(self, job: SpeechJob) -> None:
        """Queue a stream.

        Raises:
            SynthesizerClosed: The worker takes no more work.
            EngineError: The engine failed before.
        """
        self._check()
        self._line.submit(job)
        self._wake.set()

    async def capture(self, n_vq: int | None = None) -> None:
        """Let the engine capture its CUDA graphs; no stream moves meanwhile.

        Raises:
            SynthesizerClosed: The worker is closed.
            EngineError: It failed.
        """
        self._check()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._to_capture.append((n_vq, done))
        self._wake.set()
        await done

    def encode(self, samples: npt.NDArray[np.float32]) -> Codes:
        """Turn mono samples at 24 kHz into codes, on the thread that calls.

        Raises:
            SynthesizerClosed: The worker is closed.
            EngineError: It failed.
        """
        engine = self._engine
        if self._is_closing or engine is None:
            raise SynthesizerClosed(CLOSED)
        try:
            return engine.encode(samples)
        except BaseException as error:
            raise as_moss_error(error) from error

    async def close(self, drain_s: float = 0.0) -> None:
        """End all streams with `SynthesizerClosed` and wait for the thread. May be called again.

        Args:
            drain_s: For how long the streams that are there may go on.
        """
        self._drains_until_s = min(self._drains_until_s, self._clock() + drain_s)
        self._ask_to_stop()
        loop = asyncio.get_running_loop()
        stopped: asyncio.Future[None] = loop.create_future()

        def stop() -> None:
            try:
                self._stop()
            finally:
                _post(loop, _settle, stopped, None, None)

        # Not on the loop's executor: its threads may all be busy, with what waits for a stream to end.
        threading.Thread(target=stop, name="moss-stream-close", daemon=True).start()
        await stopped

    def _check(self) -> None:
        """Refuse work that would never be done."""
        if self._is_closing:
            raise SynthesizerClosed(CLOSED)
        if self.failure is not None:
            raise self.failure

    def _ask_to_stop(self) -> None:
        self._is_closing = True
        self._wake.set()

    def _stop(self, timeout_s: float | None = None) -> None:
        """Wait for the thread; with a time limit, let no stream end before."""
        if timeout_s is not None:
            self._drains_until_s = -math.inf
        self._ask_to_stop()
        if self._thread.ident is not None:  # it was started
            self._thread.join(timeout_s)
        atexit.unregister(self._stop)

    def _run(self) -> None:
        try:
            engine = self._load()
            order = PromptThreads(engine.prompt, self.wake)
            streams = EngineLoop(engine, self._line, order, self._clock)
            info = engine.info
        except BaseException as error:
            _post(self._loop, _settle, self._loaded, None, as_moss_error(error))
            return
        self._engine, self._engine_loop = engine, streams
        _post(self._loop, _settle, self._loaded, info, None)
        try:
            self._serve(streams, engine)
        finally:
            self._engine = None
            order.close()

    def _serve(self, streams: EngineLoop, engine: Engine) -> None:
        while not self._is_closing or (streams.is_busy and self._clock() < self._drains_until_s):
            try:
                self._capture_all(engine)
                wait_s = streams.tick()
            except BaseException as error:
                with contextlib.suppress(BaseException):  # a log that fails must not end the thread, either
                    streams.give_up(error)
                continue
            if wait_s != 0.0:
                self._wake.wait(self._until_asked(wait_s))
                self._wake.clear()
        streams.fail(SynthesizerClosed(CLOSED))
        while self._to_capture:
            self._captured(SynthesizerClosed(CLOSED))

    def _until_asked(self, wait_s: float | None) -> float | None:
        """Return how long to sleep at most; None: until woken."""
        if not self._is_closing or self._drains_until_s == math.inf:
            return wait_s
        left_s = max(0.0, self._drains_until_s - self._clock())
        return left_s if wait_s is None else min(wait_s, left_s)

    def _capture_all(self, engine: Engine) -> None:
        while self._to_capture:
            error = self.failure
            if error is None:
                try:
                    engine.capture(self._to_capture[0][0])
                except BaseException as caught:
                    error = as_moss_error(caught)
            self._captured(error)

    def _captured(self, error: MossError | None) -> None:
        """Resolve the oldest request for a capture, with its error if it failed."""
        done = self._to_capture.popleft()[1]
        _post(done.get_loop(), _settle, done, None, error)


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
