"""What the engine does next: whose frame, whose prompt, and who may join. No clock, no torch."""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from moss_stream.audio import FRAME_S

__all__ = ["Candidate", "Costs", "Plan", "Scheduler"]

MAX_LOAD = 0.55
"""Share of real time that the frames of all streams may take; the rest is for prompts, one every few seconds
of each stream, and for what else the machine does. Measured: at 0.71 with prompts some listeners wait."""
SMOOTHING_UP, SMOOTHING_DOWN = 0.03, 0.2
"""A single slow step, of a machine that was busy elsewhere, must not shut the door."""
RECENT = 9
"""Steps whose median says how much slower the machine is than was learned: 0.7 s of speech in real time."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stream that has something to do."""

    slot: int
    is_prefill: bool
    """It needs the next chunk of its prompt; otherwise its next frame."""
    slack_s: float
    """How long its listener can wait; negative if it waits already."""
    held_s: float | None = None
    """How long ago its prompt was done, if it needs a frame and its listener has heard nothing yet."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One call of the engine: a chunk of the prompt of one slot, or a frame of each of several."""

    slots: tuple[int, ...]
    is_prefill: bool


class Costs:
    """How long things take, learned while they are done.

    Args:
        frames_s: What is known already: the seconds of a frame of some numbers of streams.
    """

    def __init__(self, frames_s: Mapping[int, float] | None = None) -> None:
        self._frames_s = dict(frames_s or {})
        self._prefill_s = 0.0
        self._slowdowns: deque[float] = deque(maxlen=RECENT)

    def learn(self, plan: Plan, seconds: float) -> None:
        """Note how long a plan took."""
        if plan.is_prefill:
            self._prefill_s = _smoothed(self._prefill_s or None, seconds)
        else:
            count = len(plan.slots)
            self._slowdowns.append(seconds / (self.frame_s(count) or seconds or 1.0))
            self._frames_s[count] = _smoothed(self.frame_s(count), seconds)

    @property
    def prefill_s(self) -> float:
        """Of one chunk."""
        return self._prefill_s

    def frame_s(self, count: int) -> float | None:
        """Return what a frame of `count` streams takes; None if nothing is known.

        A number that was not met lies between its neighbours; beyond the largest one it is taken to be in
        proportion to that: too much rather than too little.
        """
        below = max((n for n in self._frames_s if n <= count), default=None)
        above = min((n for n in self._frames_s if n >= count), default=None)
        if below is None:
            return None if above is None else self._frames_s[above]
        if above is None:
            return self._frames_s[below] * count / below
        if above == below:
            return self._frames_s[below]
        share = (count - below) / (above - below)
        return (1 - share) * self._frames_s[below] + share * self._frames_s[above]

    def rtf(self, count: int) -> float | None:
        """Return how many seconds a second of audio of `count` streams is expected to take.

        A machine that has become slower, since others want it too, is noticed within a second: what is
        smoothed for admission would take several.
        """
        frame_s = self.frame_s(count)
        if frame_s is None:
            return None
        is_known = len(self._slowdowns) == RECENT
        slowdown = max(1.0, statistics.median(self._slowdowns)) if is_known else 1.0
        return slowdown * frame_s / FRAME_S


class Scheduler:
    """Earliest playback deadline first.

    All streams whose listeners have room advance together, a frame at a time. The prompt of a stream is
    worked on, chunk by chunk, when every other listener can wait that long, or when all of them are late
    and it is the latest. Streams that begin together share their first frame: one that is ready
    for it waits for the prompts of others, for no longer than a frame takes.
    """

    def __init__(self, costs: Costs) -> None:
        self.costs = costs

    def plan(self, candidates: Sequence[Candidate]) -> Plan | None:
        """Return what to do next; None if there is nothing."""
        frames = [each for each in candidates if not each.is_prefill]
        prompts = [each for each in candidates if each.is_prefill]
        if prompts:
            first = min(prompts, key=lambda each: each.slack_s)
            if not frames or self._may_delay(frames, first):
                return Plan((first.slot,), is_prefill=True)
        if frames:
            return Plan(tuple(sorted(each.slot for each in frames)), is_prefill=False)
        return None

    def admits(self, active: int) -> bool:
        """Tell whether one more stream than `active` could be kept in real time.

        A single stream is always admitted, also where it is slower than real time.
        """
        if active == 0:
            return True
        frame_s = self.costs.frame_s(active + 1)
        return frame_s is not None and frame_s <= MAX_LOAD * FRAME_S

    def _may_delay(self, frames: Sequence[Candidate], prompt: Candidate) -> bool:
        slack_s = min(each.slack_s for each in frames)
        is_latest = slack_s <= 0 and prompt.slack_s < slack_s
        return slack_s >= self._needed_s(frames) or is_latest or self._may_hold(frames, prompt)

    def _may_hold(self, frames: Sequence[Candidate], prompt: Candidate) -> bool:
        """Tell whether first frames may wait until the prompt's listener can share them."""
        held_s = max((each.held_s for each in frames if each.held_s is not None), default=math.inf)
        heard_s = min((each.slack_s for each in frames if each.held_s is None), default=math.inf)
        is_worth_it = held_s + self.costs.prefill_s <= (self.costs.frame_s(len(frames)) or 0.0)
        return is_worth_it and heard_s >= self._needed_s(frames) and prompt.slack_s <= 0

    def _needed_s(self, frames: Sequence[Candidate]) -> float:
        """Return how long listeners wait for their frames if a chunk of a prompt goes first."""
        return self.costs.prefill_s + (self.costs.frame_s(len(frames)) or 0.0)


def _smoothed(old: float | None, new: float) -> float:
    if old is None:
        return new
    return old + (SMOOTHING_UP if new > old else SMOOTHING_DOWN) * (new - old)
