"""An engine's loop under a virtual clock, and listeners that play in real time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np
from fakes import FakeEngine

from moss_stream.audio import AudioChunk
from moss_stream.cast import Cast
from moss_stream.config import SynthesisOptions
from moss_stream.engine.channel import Channel
from moss_stream.engine.line import WaitingLine
from moss_stream.engine.loop import EngineLoop
from moss_stream.engine.utterance import SpeechJob
from moss_stream.text.dialogue import Dialogue
from moss_stream.text.history import History
from moss_stream.text.incremental import Incremental
from moss_stream.text.message import Codes, Message, Prompt
from moss_stream.text.segmented import Segmented
from moss_stream.text.turn import Turn

STEP_S, PREFILL_S = 0.02, 0.03


def give(job: SpeechJob, text: str) -> None:
    """Give text."""
    job.feed(text)


@dataclass
class Listener:
    """Takes every chunk as it comes, and plays it in real time."""

    job: SpeechJob
    clock: Callable[[], float]
    chunks: list[AudioChunk] = field(default_factory=list)
    starved_s: float = 0.0
    """For how long there was nothing to play between the first chunk and the last."""
    error: BaseException | None = None
    is_done: bool = False
    is_reading: bool = True
    _dry_s: float | None = None

    @property
    def lead_s(self) -> float:
        return 0.0 if self._dry_s is None else max(0.0, self._dry_s - self.clock())

    def position_s(self) -> float:
        return sum(chunk.duration_s for chunk in self.chunks) - self.lead_s

    async def read(self) -> None:
        """Take what is there."""
        while self.is_reading and not self.is_done:
            get = asyncio.ensure_future(self.job.channel.get())
            await asyncio.sleep(0)
            if not get.done():
                get.cancel()
                return
            try:
                chunk = get.result()
            except Exception as error:
                self.error, self.is_done = error, True
                return
            if chunk is None:
                self.is_done = True
                return
            self._play(chunk)

    def _play(self, chunk: AudioChunk) -> None:
        now_s = self.clock()
        if self._dry_s is not None and not chunk.is_final:
            self.starved_s += max(0.0, now_s - self._dry_s)
        self._dry_s = max(now_s, self._dry_s or now_s) + chunk.duration_s
        self.chunks.append(chunk)

    @property
    def samples(self) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
        return np.concatenate([chunk.samples for chunk in self.chunks])


class Prompts:
    """Builds prompts without a thread: at once, or when `work` is called.

    Attributes:
        is_late: Prompts wait for `work`.
    """

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self._asked: list[tuple[Future[Prompt], Message, Codes | None]] = []
        self.is_late = False

    def __call__(self, message: Message, prefix: Codes | None) -> Future[Prompt]:
        future: Future[Prompt] = Future()
        self._asked.append((future, message, prefix))
        if not self.is_late:
            self.work()
        return future

    def work(self) -> None:
        """Build what was asked for."""
        while self._asked:
            future, message, prefix = self._asked.pop(0)
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(self._engine.prompt(message, prefix))
                except Exception as error:
                    future.set_exception(error)


class Lab:
    """Runs a loop by hand.

    Args:
        engine: Speaks; what it does takes time.
        max_queue: Streams that may wait.
        max_queue_s: For how long.
        step_s: What a frame of one stream takes; each further one a quarter of it more.
        prefill_s: What a chunk of a prompt takes.
        frames_s: What frames of 1, 2, ... streams take, if not by `step_s`.
    """

    def __init__(
        self,
        engine: FakeEngine,
        max_queue: int = 8,
        step_s: float = STEP_S,
        prefill_s: float = PREFILL_S,
        max_queue_s: float | None = None,
        frames_s: Sequence[float] | None = None,
    ) -> None:
        self.now_s = 100.0
        self.engine = engine
        known_s = frames_s or [step_s * (0.75 + 0.25 * n) for n in range(1, engine.max_streams + 1)]
        engine.frame_costs_s = dict(enumerate(known_s, 1))
        self.prompts = Prompts(engine)
        line = WaitingLine(max_queue, max_queue_s)
        self.loop = EngineLoop(engine, line, self.prompts, lambda: self.now_s)
        self.listeners: list[Listener] = []

        def work(kind: str, count: int) -> None:
            self.now_s += prefill_s if kind == "prefill" else known_s[count - 1]

        engine.on_work = work

    def speak(
        self,
        text: str | None = None,
        options: SynthesisOptions | None = None,
        max_lead_ms: int = 2000,
        history: History | None = None,
        reports: bool = True,
        dialogue: Dialogue | None = None,
    ) -> Listener:
        """Start a stream; with a text, the whole of it."""
        settings = options or SynthesisOptions()
        channel = Channel(max_lead_ms, lambda: None)
        incremental = self.engine.info.is_incremental
        script = Incremental(settings, dialogue) if incremental else Segmented(settings, history)
        job = SpeechJob(settings, Turn(script), channel, lambda: None, lambda: self.now_s)
        job.set_cast(Cast.alone(None))
        listener = Listener(job, lambda: self.now_s)
        if reports:
            job.lead.attach(listener.position_s)
        if text is not None:
            give(job, text)
            job.end()
        self.loop.submit(job)
        self.listeners.append(listener)
        return listener

    async def tick(self) -> float | None:
        """Do one thing; let the listeners take what came."""
        wait_s = self.loop.tick()
        await asyncio.sleep(0)
        for listener in self.listeners:
            await listener.read()
        return wait_s

    async def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Let virtual time pass."""
        end_s = self.now_s + seconds
        while self.now_s < end_s and not until():
            wait_s = await self.tick()
            if wait_s != 0.0:
                self.now_s += min(0.02, wait_s or 0.02)
