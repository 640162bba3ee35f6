"""What the engine's thread does, one small step at a time: no thread here, and the clock is given."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence

from moss_stream.engine.job import SpeechJob, as_moss_error
from moss_stream.engine.protocol import Engine
from moss_stream.engine.scheduler import Costs, Plan, Scheduler
from moss_stream.engine_metrics import EngineMeter, EngineMetrics
from moss_stream.errors import DeviceFailed, MossError, Overloaded
from moss_stream.text.turn import TurnState

__all__ = ["EngineLoop"]

MIN_WAIT_S = 0.001

logger = logging.getLogger("moss_stream.engine")


class EngineLoop:
    """Streams in slots, and those that wait for one.

    Args:
        engine: Computes.
        max_queue: Streams that may wait.
        clock: Seconds, never going back.
    """

    def __init__(self, engine: Engine, max_queue: int, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._max_queue = max_queue
        self._clock = clock
        self._arrived: deque[SpeechJob] = deque()
        self._queue: deque[SpeechJob] = deque()
        self._active: dict[int, SpeechJob] = {}
        self.scheduler = Scheduler(Costs(engine.info.frame_costs_s))
        self.failure: MossError | None = None
        self._meter = EngineMeter()

    def submit(self, job: SpeechJob) -> None:
        """Queue a stream. On any thread."""
        self._arrived.append(job)

    def metrics(self) -> EngineMetrics:
        """Return what was counted until now. On any thread."""
        return self._meter.metrics(self.num_active, self.num_queued)

    @property
    def num_active(self) -> int:
        """Streams that have a slot."""
        return len(self._active)

    @property
    def num_queued(self) -> int:
        """Streams that wait for one."""
        return len(self._queue)

    @property
    def is_busy(self) -> bool:
        """Whether any stream is not over."""
        return bool(self._arrived or self._queue or self.num_active)

    def tick(self) -> float | None:
        """Do the next thing; return after how many seconds to be called again: None for when woken."""
        now_s = self._clock()
        self._admit()
        for job in list(self._active.values()):
            self._poll(job, now_s)
        self._let_go()
        candidates = [job.candidate(now_s) for job in self._active.values()]
        plan = self.scheduler.plan([each for each in candidates if each is not None])
        if plan is not None:
            self._carry_out(plan)
            return 0.0
        waits = [wait for job in self._active.values() if (wait := job.wait_s(now_s)) is not None]
        return max(MIN_WAIT_S, min(waits)) if waits else None

    def fail(self, error: MossError) -> None:
        """End all streams with `error`."""
        self._take_in()
        for job in [*self._active.values(), *self._queue]:
            job.fail(error)
        self._let_go()

    def _take_in(self) -> None:
        while self._arrived:
            self._queue.append(self._arrived.popleft())

    def _admit(self) -> None:
        """Let go of who has gone, and give free slots to those who wait, first come, first served."""
        self._take_in()
        for job in [*self._active.values(), *self._queue]:
            if job.channel.is_closed and not job.is_over:
                job.abandon()
            elif job.error is not None and not job.is_over:
                job.fail(job.error)
        self._let_go()
        while self._queue and self.failure is None and self._may_join():
            self._join(self._queue.popleft())
        while len(self._queue) > self._max_queue:
            self._meter.refused += 1
            self._queue.pop().fail(
                Overloaded(
                    f"{len(self._active)} streams are spoken and {self._max_queue} wait: this one would "
                    "stutter. Try again when some are over, or raise max_queue to let it wait."
                )
            )
        if self.failure is not None and self._queue:
            self.fail(self.failure)

    def _let_go(self) -> None:
        """Free the slots and places of streams that are over."""
        over = [job for job in [*self._active.values(), *self._queue] if job.is_over]
        if not over:
            return
        for job in over:
            self._meter.ended(_how(job), job.meter.metrics())
        self._active = {slot: job for slot, job in self._active.items() if not job.is_over}
        self._queue = deque(job for job in self._queue if not job.is_over)

    def _may_join(self) -> bool:
        active = len(self._active)
        return active < self._engine.info.max_streams and self.scheduler.admits(active)

    def _join(self, job: SpeechJob) -> None:
        job.slot = next(slot for slot in range(self._engine.info.max_streams) if slot not in self._active)
        try:
            self._engine.open(job.slot, job.options)
        except Exception as error:
            job.fail(as_moss_error(error))
        else:
            self._active[job.slot] = job

    def _poll(self, job: SpeechJob, now_s: float) -> None:
        try:
            job.poll(self._engine, now_s)
        except Exception as error:
            job.fail(as_moss_error(error))

    def _carry_out(self, plan: Plan) -> None:
        began_s = self._clock()
        try:
            if plan.is_prefill:
                self._prefill(plan.slots[0], began_s)
            else:
                self._step(plan.slots, began_s)
        except Exception as error:
            if plan.is_prefill and isinstance(error, MossError):
                self._active[plan.slots[0]].fail(error)
            else:
                self._device_failed(error)
            return
        self.scheduler.costs.learn(plan, self._clock() - began_s)

    def _prefill(self, slot: int, began_s: float) -> None:
        is_last, job = self._engine.prefill(slot), self._active[slot]
        now_s = self._clock()
        self._meter.prefill(now_s - began_s)
        job.meter.prefill(began_s, now_s)
        if is_last:
            job.prefilled()

    def _step(self, slots: Sequence[int], began_s: float) -> None:
        frames = self._engine.step(slots)
        now_s = self._clock()
        self._meter.step(now_s - began_s, len(slots))
        for slot, frame in zip(slots, frames, strict=True):
            self._active[slot].meter.step(began_s, now_s)
            self._active[slot].frame(frame, self._engine, now_s)

    def _device_failed(self, error: Exception) -> None:
        """What the device computes is not to be trusted any more, for no stream."""
        logger.error("The device failed.", exc_info=error)
        self.failure = DeviceFailed(
            f"The device failed ({type(error).__name__}: {error}), and every stream with it. "
            "Close the synthesizer and load again."
        )
        self.failure.__cause__ = error
        self.fail(self.failure)


def _how(job: SpeechJob) -> str:
    """Return how a stream ended."""
    names = {TurnState.CANCELLED: "cancelled", TurnState.FAILED: "failed"}
    return names.get(job.turn.state, "done")
