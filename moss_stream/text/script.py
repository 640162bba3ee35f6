"""Who turns a text into orders for the engine. Time and the audio in hand are arguments: no clock here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from moss_stream.text.message import Codes, Message, Prompt
from moss_stream.text.timeline import Timeline

__all__ = ["MAX_ATTEMPTS", "SLOWEST", "SPARE_S", "Begin", "Give", "Script"]

MAX_ATTEMPTS = 5
"""How often a segment is begun with one prompt when the model ends it before its first frame."""
SLOWEST, SPARE_S = 2.2, 1.5
"""Slow speech takes about twice as long as estimated, and a short text has pauses before and after it."""


@dataclass(frozen=True, slots=True)
class Begin:
    """Begin a segment: run its prompt."""

    message: Message
    prefix: Codes | None = None
    """Codes of the audio that it continues, [T, Nq]."""


@dataclass(frozen=True, slots=True)
class Give:
    """Give the model the next piece of the segment's text, while it speaks."""

    text: str
    is_last: bool
    """The segment has no more text: the model speaks what it has read, and ends."""


class Script(Protocol):
    """Decides what is said next, and keeps what was said, for one turn."""

    @property
    def timeline(self) -> Timeline:
        """Which words belong to which moment."""

    @property
    def segment(self) -> str:
        """The text that is spoken now."""

    @property
    def speaker(self) -> str:
        """Who speaks it: S1 to S5 in a dialogue, nobody by name elsewhere."""

    @property
    def is_silence_wanted(self) -> bool:
        """Whether it may have long pauses."""

    @property
    def num_waiting(self) -> int:
        """Characters that are not begun yet."""

    @property
    def num_readable(self) -> int:
        """Characters that are read out, begun or not."""

    @property
    def num_begun(self) -> int:
        """How many of them are begun."""

    @property
    def memory(self) -> object | None:
        """What the turns of a conversation share, if its context is worth keeping between them."""

    @property
    def is_within(self) -> bool:
        """Whether a segment with text was begun and is not over, though perhaps nobody speaks it now."""

    @property
    def is_spoken(self) -> bool:
        """Whether a frame of the current segment was made."""

    @property
    def is_over(self) -> bool:
        """Whether all text is said, when `begin` has found no segment."""

    @property
    def is_vain(self) -> bool:
        """Whether the segment that was begun has no text, and gets none."""

    def set_reference(self, reference: list[Codes | None] | None) -> None:
        """Say whose voices to speak with: codes [T, Nq] for each speaker; nothing is begun before."""

    def feed(self, written: str, now_s: float) -> None:
        """Take in text, as it was written. Raises TextError if there is too much."""

    def flush(self, now_s: float) -> None:
        """Let what is there be spoken without waiting for more."""

    def whole(self) -> None:
        """Say that all text is there already, so that it is always spoken alike; before any is fed."""

    def end(self, now_s: float) -> None:
        """Say that no more text comes."""

    def begin(self, now_s: float, lead_s: float) -> Begin | None:
        """Begin the next segment, if it is time; `lead_s` is the audio that the listener has in hand."""

    def begun(self, prompt: Prompt, room: int) -> None:
        """Note that its prompt was built, and how many frames the context holds behind it."""

    def more(self, now_s: float, lead_s: float) -> Give | None:
        """Return the next piece of the text of the current segment, if there is one."""

    def wait_s(self, now_s: float, lead_s: float) -> float | None:
        """Return in how many seconds time alone changes what is said; None: never."""

    def add(self) -> None:
        """Note a frame of the current segment that can be heard."""

    def keep(self, codes: Codes) -> None:
        """Note the codes [Nq] of a frame of the current segment: with it, or some rows later."""

    def end_segment(self, num_unread: int) -> bool:
        """Note that the model ended the segment; return whether it must begin again with the same prompt.

        Args:
            num_unread: Tokens that the model was given and has not read.
        """

    def drop(self) -> None:
        """Forget a segment that is not whole, or keep of it what `keep_heard` will say."""

    def keep_heard(self, seconds: float) -> None:
        """Forget, for the turns to come, what was not heard when `seconds` of the audio were played."""

    def max_frames(self) -> int:
        """Return how many frames the segment may take before it counts as running away."""

    def check_spoken(self) -> None:
        """Raise TextError if there was nothing to say, NoAudio if the model spoke nothing."""
