"""The script of a model that reads its text while it speaks, and remembers the dialogue."""

from __future__ import annotations

import logging
import re

from moss_stream.audio import FRAME_S
from moss_stream.config import SynthesisOptions
from moss_stream.errors import NoAudio, TextError
from moss_stream.text.breaks import is_speakable, may_stop_at_end
from moss_stream.text.dialogue import Dialogue, Saying
from moss_stream.text.duration import estimate_s
from moss_stream.text.limits import TextLimits
from moss_stream.text.message import Codes, Message, Prompt
from moss_stream.text.reader import Reader
from moss_stream.text.respelled import normalizer_for
from moss_stream.text.script import MAX_ATTEMPTS, SLOWEST, SPARE_S, Begin, Give
from moss_stream.text.timeline import Timeline
from moss_stream.text.words import WordSegmenter

__all__ = ["Incremental"]

logger = logging.getLogger("moss_stream.text")

EARLY, LATE = 0.4, 0.8
"""Share of the context after which a text is cut at the end of a sentence, and between any two words: speech
may take twice as long as estimated."""
_SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’»›)\]」』）】》〉]*\s*$")


class Incremental:
    """Implements `Script`.

    The prompt is run before there is any text. Then the model is given a word whenever it lacks one, so that
    what it was given is never far ahead of what it says. When the text pauses for long while the listener
    has nothing more to hear, it is told that the text is over, and speaks what it has read to its end; what
    comes later begins anew, in the same dialogue.

    Args:
        options: Of the stream.
        dialogue: What was said before, in a conversation.
    """

    speaker = ""
    is_silence_wanted = False

    def __init__(self, options: SynthesisOptions, dialogue: Dialogue | None = None) -> None:
        self.timeline = Timeline()
        self._words = WordSegmenter(options.max_wait_ms / 1000)
        normalizer = normalizer_for(options.hidden_tags, options.lexicon)
        self._reader = Reader(normalizer, self._words, self.timeline.read, options.max_wait_ms / 1000)
        self._limits = TextLimits(is_whole=False)
        self.memory = dialogue
        self._dialogue = dialogue or Dialogue()
        self._reference: list[Codes | None] | None = None
        self._has_voice = self._has_ended = False
        self._mine: list[Saying] = []
        """What was said in this turn."""
        self._now: Saying | None = None
        self._held = ""
        """What was read, but is not said alone."""
        self._flushed: int | None = None
        self._is_closed = self._has_rest = False
        self._attempts_left = self._num_spoken = self._room = self._max_frames = 0
        self._has_text = False
        self.is_spoken = False

    @property
    def segment(self) -> str:
        """See `Script`."""
        return "".join(self._now.pieces) if self._now else ""

    @property
    def is_within(self) -> bool:
        """See `Script`."""
        return self._now is not None and bool(self._now.pieces)

    @property
    def is_over(self) -> bool:
        """See `Script`."""
        return self._has_ended and self._has_voice

    @property
    def is_vain(self) -> bool:
        """See `Script`."""
        return self._now is not None and not self._now.pieces and not self._has_rest and self._is_at_end

    def set_reference(self, reference: list[Codes | None] | None) -> None:
        """See `Script`."""
        self._reference = reference
        self._has_voice = True

    @property
    def num_waiting(self) -> int:
        """See `Script`."""
        return self._reader.num_waiting + len(self._held)

    @property
    def num_readable(self) -> int:
        """See `Script`."""
        return self._reader.num_readable

    @property
    def num_begun(self) -> int:
        """See `Script`."""
        return self._reader.num_begun - (len(self._held) if is_speakable(self._held) else 0)

    def feed(self, written: str, now_s: float) -> None:
        """See `Script`."""
        self.timeline.write(written)
        before = self.num_readable
        self._reader.feed(written, now_s)
        self._limits.count(len(written), self.num_readable - before)

    def flush(self, now_s: float) -> None:
        """See `Script`."""
        self._reader.flush(now_s)
        if self.num_waiting or (self._now is not None and not self._is_closed):
            self._flushed = self.num_readable

    def whole(self) -> None:
        """See `Script`."""
        self._reader.whole()

    def end(self, now_s: float) -> None:
        """See `Script`."""
        self._reader.end(now_s)
        self._has_ended = True

    def begin(self, now_s: float, lead_s: float) -> Begin | None:
        """See `Script`: the first time at once, later when there is something to say."""
        if not self._has_voice:
            return None
        is_first = not self._mine and not self._has_ended
        if not is_first and not self._has_rest and not self._fill(now_s, lead_s):
            return None
        dialogue = self._dialogue.turns()
        self._now = self._dialogue.begin()
        self._mine.append(self._now)
        self.timeline.begin("")
        self._is_closed = self.is_spoken = False
        self._attempts_left = MAX_ATTEMPTS - 1
        return Begin(Message(reference=self._reference, dialogue=dialogue))

    def begun(self, prompt: Prompt, room: int) -> None:
        """See `Script`."""
        self._dialogue.forget(prompt.num_forgotten)
        self._room = self._max_frames = room

    def max_frames(self) -> int:
        """See `Script`; while text may come, it is bounded by its words."""
        return self._max_frames

    def more(self, now_s: float, lead_s: float) -> Give | None:
        """See `Script`."""
        if self._now is None or self._is_closed:
            return None
        if self._fill(now_s, lead_s):
            piece, self._held = self._held, ""
            return self._give(piece)
        has_stopped = self._words.has_stopped(now_s, lead_s)
        is_said = self._now.pieces or self._has_rest
        return self._give("", is_last=True) if is_said and (self._is_at_end or has_stopped) else None

    def wait_s(self, now_s: float, lead_s: float) -> float | None:
        """See `Script`."""
        return self._reader.wait_s(now_s, lead_s)

    def add(self) -> None:
        """See `Script`."""
        self._attempts_left = 0
        self.is_spoken = True
        self._num_spoken += 1

    def keep(self, codes: Codes) -> None:
        """See `Script`."""
        assert self._now is not None
        self._now.codes.append(codes)

    def end_segment(self, num_unread: int) -> bool:
        """See `Script`; what the model has not read, it reads when it begins anew."""
        if self._attempts_left:
            self._attempts_left -= 1
            return True
        if not self.is_spoken:
            logger.warning(
                "The model spoke nothing for a text of %d characters; it is passed over.", len(self.segment)
            )
        self._has_rest = num_unread > 0
        self._now = None
        self.timeline.end_segment()
        return False

    def drop(self) -> None:
        """See `Script`: what was spoken of it stays, until `keep_heard`."""
        self._flushed = None
        if self._now is not None:
            self._now = None
            self.timeline.end_segment()

    def keep_heard(self, seconds: float) -> None:
        """See `Script`: the frames that were played to their end, and the text that was read with them."""
        left = int(seconds / FRAME_S + 1e-6)
        for saying in self._mine:
            del saying.codes[left:]
            left -= len(saying.codes)
            if not saying.codes:
                self._dialogue.remove(saying)

    def check_spoken(self) -> None:
        """See `Script`."""
        if not self._has_text:
            raise TextError("There is nothing to say: the text holds no letter and no digit.")
        if not self._num_spoken:
            raise NoAudio("The model ended at once and spoke nothing. Try another seed or a longer text.")

    def _fill(self, now_s: float, lead_s: float) -> bool:
        """Take the next word, with the marks before it; return whether there is something to give."""
        while not is_speakable(self._held):
            is_flushed = self._flushed is not None and self._reader.num_begun >= self._flushed
            word = None if is_flushed else self._reader.next(now_s, lead_s)
            if word is None:
                break
            self._held += word
        if is_speakable(self._held):
            return True
        is_tail = bool(self._held.strip() and self._now and self._now.pieces)
        return is_tail and not self._reader.num_waiting and self._has_ended

    def _give(self, piece: str, is_last: bool = False) -> Give:
        assert self._now is not None
        self._has_rest = False
        if piece:
            self._has_text = True
            self._now.pieces.append(piece)
            self.timeline.extend(piece)
        if is_last or self._is_at_end or self._is_full(piece):
            self._is_closed = True
            if self._flushed is not None and self.num_begun >= self._flushed:
                self._flushed = None
            self._max_frames = min(self._room, int((SLOWEST * estimate_s(self.segment) + SPARE_S) / FRAME_S))
            is_last = True
        return Give(piece, is_last)

    @property
    def _is_at_end(self) -> bool:
        """Whether no text waits, and none belongs to what was said until now."""
        if self._has_ended:
            return not self._reader.num_waiting and not is_speakable(self._held)
        return self._flushed is not None and self.num_begun >= self._flushed

    def _is_full(self, piece: str) -> bool:
        """Tell whether the context might not hold more: then the text goes on in another one."""
        share = self.timeline.segment_s / FRAME_S / max(1, self._room)
        if share < EARLY:
            return False
        is_end = _SENTENCE_END.search(piece) is not None and may_stop_at_end(self.segment)
        return is_end or share > LATE
