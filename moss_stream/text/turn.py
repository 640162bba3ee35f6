"""One utterance: a chain of segments, each a continuation of the ones before, as an explicit state machine.

WAITING goes to PREFILL when a segment is begun, PREFILL to SPEAKING when its prompt is in the cache, SPEAKING
back to WAITING when it is over. A segment that ended before its first frame begins again: from SPEAKING to
PREFILL, or to WAITING if that takes another prompt. When all text is spoken, WAITING goes to DRAINING: the
listener has not had everything yet. Then comes DONE. CANCELLED and FAILED can come from every state before
that.
"""

from __future__ import annotations

import logging
import re
from enum import Enum, auto

from moss_stream.audio import FRAME_S
from moss_stream.config import SynthesisOptions
from moss_stream.errors import NoAudio, TextError
from moss_stream.text.breaks import is_speakable
from moss_stream.text.duration import estimate_s
from moss_stream.text.history import History
from moss_stream.text.limits import TextLimits
from moss_stream.text.message import Codes, Message
from moss_stream.text.normalizer import Normalizer
from moss_stream.text.reader import Reader
from moss_stream.text.segmenter import LeadSegmenter, WholeSegmenter
from moss_stream.text.timeline import Timeline

__all__ = ["TRANSITIONS", "Turn", "TurnState"]


class TurnState(Enum):
    """Where an utterance is."""

    WAITING = auto()
    PREFILL = auto()
    SPEAKING = auto()
    DRAINING = auto()
    DONE = auto()
    CANCELLED = auto()
    FAILED = auto()

    @property
    def is_over(self) -> bool:
        """Nothing can happen any more."""
        return self in (TurnState.DONE, TurnState.CANCELLED, TurnState.FAILED)


_W, _P, _S, _DR, _D, _C, _F = TurnState
TRANSITIONS: dict[TurnState, frozenset[TurnState]] = {
    _W: frozenset({_P, _DR, _C, _F}),
    _P: frozenset({_S, _C, _F}),
    _S: frozenset({_W, _P, _C, _F}),  # to PREFILL: a segment that ended before its first frame begins again
    _DR: frozenset({_D, _C, _F}),
    _D: frozenset(),
    _C: frozenset(),
    _F: frozenset(),
}
logger = logging.getLogger("moss_stream.text")

SLOWEST, SPARE_S = 2.2, 1.5
_PAUSE = re.compile(r"\[pause (\d{1,3}(?:\.\d{1,3})?) ?s\]")
MAX_ATTEMPTS = 5
"""How often a segment is begun with one prompt when the model ends it before its first frame."""


class Turn:
    """Decides what is said next, and keeps what was said.

    Nothing is said before `set_voice`: a recording may have to be encoded first.

    Args:
        options: Of the stream.
        history: What was spoken before, in a conversation.
    """

    def __init__(self, options: SynthesisOptions, history: History | None = None) -> None:
        self._options = options
        self._reference: list[Codes | None] | None = None
        self._has_voice = False
        self.timeline = Timeline()
        self._reader = _reader(options, self.timeline)
        self._limits = TextLimits(is_whole=options.tokens is not None)
        self._history = history or History(options.history_s)
        self._history.separate()
        self._segment = ""
        self._attempts_left = 0
        self._is_spoken = False
        self._is_continued = False
        self._num_spoken = 0
        self.is_alone_next = False
        """The current segment is to begin again, with a prompt that does not continue the ones before."""
        self._prompted: list[int] = []
        self._has_ended = False
        self.state = TurnState.WAITING

    def set_voice(self, voice: Codes | None) -> None:
        """Say whose voice to speak with: codes of a recording, [T, Nq]; None leaves it to the model."""
        self._reference = None if voice is None else [voice]
        self._has_voice = True

    @property
    def num_waiting(self) -> int:
        """Characters that are not begun yet."""
        return self._reader.num_waiting

    @property
    def num_readable(self) -> int:
        """Characters that are read out, begun or not."""
        return self._reader.num_readable

    @property
    def num_begun(self) -> int:
        """How many of them are begun."""
        return self._reader.num_begun

    def feed(self, written: str, now_s: float) -> None:
        """Take in text, as it was written.

        Raises:
            TextError: There is too much; see `moss_stream.text.limits`.
        """
        self.timeline.write(written)
        before = self.num_readable
        self._reader.feed(written, now_s)
        self._limits.count(len(written), self.num_readable - before)

    def flush(self, now_s: float) -> None:
        """Let what is there be spoken without waiting for more."""
        self._reader.flush(now_s)

    def whole(self) -> None:
        """Say that all text is there already, so that it is always spoken alike; before any is fed."""
        self._reader.whole()

    def end(self, now_s: float) -> None:
        """Say that no more text comes."""
        self._reader.end(now_s)
        self._has_ended = True

    def next(self, now_s: float, lead_s: float) -> tuple[Message, Codes | None] | None:
        """Begin the next segment, if it is time: return its prompt, and the codes it continues.

        Goes to PREFILL, or to DRAINING if everything is said.

        Raises:
            TextError: The text is over and holds nothing to say.
            NoAudio: The model spoke nothing.
        """
        if not self._has_voice:
            return None
        if self.is_alone_next:
            self.is_alone_next = False
            return self._prompt_alone()
        while (segment := self._reader.next(now_s, lead_s)) is not None:
            self.timeline.begin(segment)
            if is_speakable(segment):
                self._segment = segment
                return self._prompt(segment)
            self.timeline.end_segment()
        if self._has_ended:
            self._check_spoken()
            self._go(TurnState.DRAINING)
        return None

    def wait_s(self, now_s: float, lead_s: float) -> float | None:
        """Return in how many seconds `next` might say something else without more text; None: never."""
        return self._reader.wait_s(now_s, lead_s)

    def prefilled(self) -> None:
        """The prompt is in the cache."""
        self._go(TurnState.SPEAKING)

    def add(self, codes: Codes) -> tuple[int, int]:
        """Note a frame [Nq] of the segment; return the part of the written text that it speaks."""
        self._attempts_left = 0
        self._is_spoken = True
        self._num_spoken += 1
        self._history.add(codes)
        return self.timeline.frame()

    def end_segment(self) -> bool:
        """The segment is over; return whether it must begin again, since it ended before its first frame."""
        if self._attempts_left:
            self._attempts_left -= 1
            self._go(TurnState.PREFILL)
            return True
        if not self._is_spoken and self._is_continued:
            self.is_alone_next = True
            self._go(TurnState.WAITING)
            return False
        if not self._is_spoken:
            logger.warning(
                "The model spoke nothing for a segment of %d characters; it is passed over.",
                len(self._segment),
            )
        self.timeline.end_segment()
        self._go(TurnState.WAITING)
        return False

    def finish(self) -> None:
        """The listener has everything."""
        self._go(TurnState.DONE)

    def cancel(self) -> None:
        """Nobody listens any more."""
        self._drop_part()
        self._go(TurnState.CANCELLED)

    def fail(self) -> None:
        """It cannot go on."""
        self._drop_part()
        self._go(TurnState.FAILED)

    def keep_heard(self, seconds: float) -> None:
        """Forget, for the turns to come, the segments that were not heard to their end."""
        heard = [index for index in self._prompted if self.timeline.is_heard(index, seconds)]
        self._history.forget(len(self._prompted) - len(heard))
        self._prompted = heard

    @property
    def segment(self) -> str:
        """The text that is spoken now."""
        return self._segment

    def max_frames(self) -> int:
        """Return how many frames the segment may take before it counts as running away.

        Slow speech takes about twice as long as usual; a wanted length may be missed by half.
        """
        if self._options.tokens is not None:
            return self._options.tokens * 3 // 2 + 25
        pauses_s = sum(float(found[1]) for found in _PAUSE.finditer(self._segment))
        return int((SLOWEST * estimate_s(self._segment) + SPARE_S + pauses_s) / FRAME_S)

    def _drop_part(self) -> None:
        """Forget a segment that is not whole: the next turn cannot continue it."""
        if self.is_alone_next or self.state in (TurnState.PREFILL, TurnState.SPEAKING):
            self._history.forget(1)
            self._prompted.pop()

    def _prompt(self, segment: str) -> tuple[Message, Codes | None]:
        self._is_spoken = False
        self._prompted.append(self.timeline.num_segments - 1)
        text, prefix = self._history.begin(segment)
        self._is_continued = prefix is not None
        return self._begin(text, self._reference), prefix

    def _prompt_alone(self) -> tuple[Message, Codes | None]:
        """Prompt the segment as if it were the first.

        A model may take a last word for the end of what it continues, and end at once. Without a voice to
        follow, it follows the voice of what it said before.
        """
        self._is_continued = False
        recent = self._history.recent()
        reference = self._reference or (None if recent is None else [recent])
        return self._begin(self._segment.strip(), reference), None

    def _begin(self, text: str, reference: list[Codes | None] | None) -> Message:
        self._attempts_left = MAX_ATTEMPTS - 1
        options = self._options
        message = Message(
            text=text,
            reference=reference,
            tokens=options.tokens,
            instruction=options.instruction,
            quality=options.quality,
            sound_event=options.sound_event,
            ambient_sound=options.ambient_sound,
            language=options.language,
        )
        self._go(TurnState.PREFILL)
        return message

    def _check_spoken(self) -> None:
        if not self._segment:
            raise TextError("There is nothing to say: the text holds no letter and no digit.")
        if not self._num_spoken:
            raise NoAudio("The model ended at once and spoke nothing. Try another seed or a longer text.")

    def _go(self, state: TurnState) -> None:
        assert state in TRANSITIONS[self.state], f"{self.state.name} -> {state.name}"
        self.state = state


def _reader(options: SynthesisOptions, timeline: Timeline) -> Reader:
    if options.tokens is not None:
        return Reader(Normalizer(options.hidden_tags), WholeSegmenter(), timeline.read, None)
    max_wait_s = options.max_wait_ms / 1000
    return Reader(Normalizer(options.hidden_tags), LeadSegmenter(max_wait_s), timeline.read, max_wait_s)
