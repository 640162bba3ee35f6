"""What the engine's thread does, one small step at a time. No thread here; the clock is an argument."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from moss_stream.audio import FRAME_S
from moss_stream.engine.line import WaitingLine, retry_after_s
from moss_stream.engine.prompts import Order
from moss_stream.engine.protocol import Engine
from moss_stream.engine.scheduler import Candidate, Costs, Plan, Scheduler
from moss_stream.engine.slot_choice import SlotChoice
from moss_stream.engine.speed import Speed
from moss_stream.engine.utterance import SpeechJob, as_moss_error
from moss_stream.engine_metrics import EngineMeter, EngineMetrics
from moss_stream.errors import DeviceFailed, EngineError, MossError, Overloaded
from moss_stream.text.turn import TurnState

__all__ = ["EngineLoop"]

MIN_WAIT_S = 0.001
"""Timers are no finer; a shorter sleep would only spin."""

T = TypeVar("T")
logger = logging.getLogger("moss_stream.engine")


class EngineLoop:
    """Streams in slots, and those that wait for one.

    An error of one stream ends that stream. Only errors of the engine's steps and of the loop itself end all
    of them; `failure` then says why.

    Args:
        engine: Computes.
        line: Streams that wait.
        order: Asks for prompts.
        clock: Seconds, never going back.
    """

    def __init__(self, engine: Engine, line: WaitingLine, order: Order, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._line = line
        self._order = order
        self._clock = clock
        self._active: dict[int, SpeechJob] = {}
        self._slots = SlotChoice()
        self.scheduler = Scheduler(Costs(engine.info.frame_costs_s))
        self.failure: MossError | None = None
        self.speed = Speed(self.scheduler.costs)
        self.speed.update(0)
        self._meter = EngineMeter()

    def submit(self, job: SpeechJob) -> None:
        """Queue a stream. On any thread."""
        self._line.submit(job)

    def metrics(self) -> EngineMetrics:
        """Return what was counted until now. On any thread."""
        return self._meter.metrics(self.num_active, self.num_queued, self.speed.expected_rtf)

    @property
    def num_active(self) -> int:
        """Streams that have a slot."""
        return len(self._active)

    @property
    def num_queued(self) -> int:
        """Streams that wait for one."""
        return len(self._line)

    @property
    def is_busy(self) -> bool:
        """Whether any stream is not over."""
        return not self._line.is_empty or bool(self._active)

    def tick(self) -> float | None:
        """Do the next thing; return the seconds until the next call is due, or None to wait until woken."""
        if self.failure is not None:
            self.fail(self.failure)
            return None
        now_s = self._clock()
        self._admit(now_s)
        for job in list(self._active.values()):
            self._own(job, job.poll, self._engine, self._order, now_s)
        plan = self.scheduler.plan(self._candidates(now_s))
        if plan is not None:
            self._carry_out(plan)
            return 0.0
        waits = [self._own(job, job.wait_s, now_s) for job in self._active.values()]
        if self._let_go() and len(self._line):
            return 0.0  # somebody can have the slot that has just become free
        known = [wait for wait in (*waits, self._line.wait_s(now_s)) if wait is not None]
        return max(MIN_WAIT_S, min(known)) if known else None

    def fail(self, error: MossError) -> None:
        """End all streams with `error`."""
        self._line.take_in()
        for job in [*self._active.values(), *self._line]:
            job.fail(error)
        self._let_go()

    def give_up(self, error: BaseException) -> None:
        """End all streams after an error that belongs to none of them, and take no more."""
        self._break_down(EngineError, "engine", error)

    def _own(self, job: SpeechJob, ask: Callable[..., T], *args: object) -> T | None:
        """Call a stream's own code and return its result; an exception ends that stream.

        That includes exceptions that end a program, which no one raises on purpose on this thread.
        """
        try:
            return ask(*args)
        except BaseException as error:
            job.fail(as_moss_error(error))
            return None

    def _candidates(self, now_s: float) -> list[Candidate]:
        found = [self._own(job, job.candidate, now_s) for job in self._active.values()]
        return [each for each in found if each is not None]

    def _admit(self, now_s: float) -> None:
        """Drop streams whose consumers have left, and give free slots to those that wait, in order."""
        self._line.take_in()
        for job in [*self._active.values(), *self._line]:
            if job.channel.is_closed and not job.is_over:
                job.abandon()
            elif job.error is not None and not job.is_over:
                job.fail(job.error)
        self._let_go()
        while len(self._line) and self._may_join():
            self._join(self._line.pop())
            self._let_go()
        self._refuse(now_s)

    def _refuse(self, now_s: float) -> None:
        """Refuse the streams that would wait too long."""
        refusals = self._line.refusals(now_s)
        if not refusals:
            return
        rtf = (self.scheduler.costs.frame_s(len(self._active)) or FRAME_S) / FRAME_S
        asked = [self._own(job, job.busy_s, rtf, now_s) for job in self._active.values()]
        busy_s = [each or 0.0 for each in asked]
        for refusal in refusals:
            self._meter.refused += 1
            seconds = retry_after_s(refusal.place, busy_s)
            refusal.job.fail(
                Overloaded(
                    f"There is no room for one more stream beside the {len(self._active)} spoken now: "
                    f"{refusal.why}. Try again in {seconds:.0f} s, or let streams wait longer.",
                    seconds,
                )
            )
        self._line.let_go()  # they are counted as refused, not as streams that failed

    def _let_go(self) -> bool:
        """Free the slots and queue entries of streams that are over; return whether there were any."""
        over = [job for job in self._active.values() if job.is_over]
        self._active = {slot: job for slot, job in self._active.items() if not job.is_over}
        over += self._line.let_go()
        for job in over:
            try:
                self._meter.ended(_how(job), job.meter.metrics())
            except Exception:
                logger.exception("A stream that is over could not be counted.")
        return bool(over)

    def _may_join(self) -> bool:
        active = len(self._active)
        return active < self._engine.info.max_streams and self.scheduler.admits(active)

    def _join(self, job: SpeechJob) -> None:
        free = [slot for slot in range(self._engine.info.max_streams) if slot not in self._active]
        job.slot = self._slots.choose(free, job.turn.script.memory)
        self._active[job.slot] = job
        self._own(job, self._engine.open, job.slot, job.options)
        self.speed.update(self.num_active)

    def _carry_out(self, plan: Plan) -> None:
        began_s, captured_s = self._clock(), self._engine.captured_s
        try:
            (self._prefill if plan.is_prefill else self._step)(plan.slots, began_s)
        except BaseException as error:
            # A failed device may compute anything from now on: no stream can go on.
            self._break_down(DeviceFailed, "device", error)
        else:
            # A graph is recorded once, for seconds: taken for the cost of a frame, it would shut the door.
            seconds = self._clock() - began_s - (self._engine.captured_s - captured_s)
            self.scheduler.costs.learn(plan, max(0.0, seconds))
            self.speed.update(self.num_active)

    def _prefill(self, slots: Sequence[int], began_s: float) -> None:
        (slot,) = slots
        job = self._active[slot]
        try:
            is_last = self._engine.prefill(slot)
        except MossError as error:  # about this prompt
            job.fail(error)
            return
        now_s = self._clock()
        self._meter.prefill(now_s - began_s)
        self._own(job, job.prefilled, is_last, self._engine, began_s, now_s)

    def _step(self, slots: Sequence[int], began_s: float) -> None:
        frames = self._engine.step(slots)
        if len(frames) != len(slots):
            raise EngineError(f"A step of {len(slots)} streams gave {len(frames)} frames.")
        now_s = self._clock()
        self._meter.step(now_s - began_s, len(slots))
        for slot, frame in zip(slots, frames, strict=True):
            job = self._active[slot]
            job.rtf = self.speed.expected_rtf
            self._own(job, job.stepped, frame, self._engine, began_s, now_s)

    def _break_down(self, kind: type[EngineError], what: str, error: BaseException) -> None:
        self.failure = kind(
            f"The {what} failed ({type(error).__name__}: {error}), and every stream with it. "
            "Close the synthesizer and load again."
        )
        self.failure.__cause__ = error
        self.fail(self.failure)
        logger.error("The %s failed.", what, exc_info=error)


def _how(job: SpeechJob) -> str:
    """Return how a stream ended."""
    names = {TurnState.CANCELLED: "cancelled", TurnState.FAILED: "failed"}
    return names.get(job.turn.state, "done")
