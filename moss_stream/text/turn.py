"""One turn, as an explicit state machine over a script.

WAITING goes to PREFILL when a segment is begun, PREFILL to SPEAKING when its prompt is in the cache, SPEAKING
back to WAITING when it is over. A segment that ended before its first frame begins again: from SPEAKING to
PREFILL, or to WAITING if that takes another prompt. When all text is spoken, WAITING goes to DRAINING: the
listener has not had everything yet. Then comes DONE. CANCELLED and FAILED can come from every state before
that.

A model that reads its text while it speaks is STARVED when it lacks the next word. When that has come it goes
on: to PREFILL before its first frame, to SPEAKING after it. If none comes any more and nothing was said, it
goes to WAITING.
"""

from __future__ import annotations

from enum import Enum, auto

from moss_stream.text.message import Codes, Prompt
from moss_stream.text.script import Begin, Give, Script
from moss_stream.text.timeline import Timeline

__all__ = ["TRANSITIONS", "Turn", "TurnState"]


class TurnState(Enum):
    """Where a turn is."""

    WAITING = auto()
    PREFILL = auto()
    SPEAKING = auto()
    STARVED = auto()
    DRAINING = auto()
    DONE = auto()
    CANCELLED = auto()
    FAILED = auto()

    @property
    def is_over(self) -> bool:
        """Nothing can happen any more."""
        return self in (TurnState.DONE, TurnState.CANCELLED, TurnState.FAILED)

    @property
    def is_within(self) -> bool:
        """A segment was begun."""
        return self in (TurnState.PREFILL, TurnState.SPEAKING, TurnState.STARVED)


_W, _P, _S, _ST, _DR, _D, _C, _F = TurnState
TRANSITIONS: dict[TurnState, frozenset[TurnState]] = {
    _W: frozenset({_P, _DR, _C, _F}),
    _P: frozenset({_S, _ST, _W, _C, _F}),  # to WAITING: no text came
    _S: frozenset(
        {_W, _P, _ST, _C, _F}
    ),  # to PREFILL: a segment that ended before its first frame begins again
    _ST: frozenset({_P, _S, _W, _C, _F}),
    _DR: frozenset({_D, _C, _F}),
    _D: frozenset(),
    _C: frozenset(),
    _F: frozenset(),
}


class Turn:
    """Keeps the state and the timeline of a turn; the script says what is said.

    Args:
        script: Of this turn alone.
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        self.state = TurnState.WAITING

    @property
    def timeline(self) -> Timeline:
        """Which words belong to which moment."""
        return self.script.timeline

    @property
    def is_within(self) -> bool:
        """Whether a segment with text is not over."""
        return self.script.is_within

    def next(self, now_s: float, lead_s: float) -> Begin | None:
        """Begin the next segment, if it is time.

        Goes to PREFILL, or to DRAINING if everything is said.

        Raises:
            TextError: The text is over and holds nothing to say.
            NoAudio: The model spoke nothing.
        """
        begin = self.script.begin(now_s, lead_s)
        if begin is not None:
            self._go(TurnState.PREFILL)
        elif self.script.is_over:
            self.script.check_spoken()
            self._go(TurnState.DRAINING)
        return begin

    def begun(self, prompt: Prompt, room: int) -> None:
        """The segment's prompt was built; the context holds `room` frames behind it."""
        self.script.begun(prompt, room)

    def more(self, now_s: float, lead_s: float) -> Give | None:
        """Return more of the segment's text; without any, ever, go to WAITING."""
        given = self.script.more(now_s, lead_s)
        if given is None and self.script.is_vain:
            self.script.drop()
            self._go(TurnState.WAITING)
        return given

    def starve(self) -> None:
        """The model lacks the next word."""
        if self.state in (TurnState.PREFILL, TurnState.SPEAKING):
            self._go(TurnState.STARVED)

    def fed(self) -> bool:
        """The model has the next word; return whether it runs it as a part of the prompt."""
        if self.state is not TurnState.STARVED:
            return False
        is_first = not self.script.is_spoken
        self._go(TurnState.PREFILL if is_first else TurnState.SPEAKING)
        return is_first

    def prefilled(self) -> None:
        """The prompt is in the cache."""
        self._go(TurnState.SPEAKING)

    def add(self) -> tuple[int, int]:
        """Note a frame that can be heard; return the part of the written text that it speaks."""
        self.script.add()
        return self.timeline.frame()

    def keep(self, codes: Codes) -> None:
        """Note the codes [Nq] of a frame of the segment, for what continues it."""
        self.script.keep(codes)

    def end_segment(self, num_unread: int = 0) -> bool:
        """The segment is over; return whether it must begin again, since it ended before its first frame."""
        is_repeated = self.script.end_segment(num_unread)
        self._go(TurnState.PREFILL if is_repeated else TurnState.WAITING)
        return is_repeated

    def finish(self) -> None:
        """The listener has everything."""
        self._go(TurnState.DONE)

    def cancel(self) -> None:
        """Nobody listens any more."""
        self.script.drop()
        self._go(TurnState.CANCELLED)

    def fail(self) -> None:
        """It cannot go on."""
        self.script.drop()
        self._go(TurnState.FAILED)

    def _go(self, state: TurnState) -> None:
        assert state in TRANSITIONS[self.state], f"{self.state.name} -> {state.name}"
        self.state = state
