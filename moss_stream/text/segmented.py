"""The script of a model that reads a segment of text before it speaks it."""

from __future__ import annotations

import logging
import re

from moss_stream.audio import FRAME_S
from moss_stream.config import SynthesisOptions
from moss_stream.errors import NoAudio, TextError
from moss_stream.text.breaks import is_speakable
from moss_stream.text.duration import estimate_s
from moss_stream.text.history import History
from moss_stream.text.limits import TextLimits
from moss_stream.text.message import Codes, Message, Prompt
from moss_stream.text.reader import Reader, SegmentReader
from moss_stream.text.respelled import normalizer_for
from moss_stream.text.script import MAX_ATTEMPTS, SLOWEST, SPARE_S, Begin, Give
from moss_stream.text.segmenter import LeadSegmenter, WholeSegmenter
from moss_stream.text.speakers import joined
from moss_stream.text.timeline import Timeline

__all__ = ["Segmented"]

logger = logging.getLogger("moss_stream.text")

_PAUSE = re.compile(r"\[pause (\d{1,3}(?:\.\d{1,3})?) ?s\]")
_ANY_PAUSE = "[pause"


class Segmented:
    """Implements `Script`: every segment is a continuation of the ones before.

    Other kinds of text are read, and put to the model, in other ways: `_make_reader`, `_worded`, `_message`.

    Args:
        options: Of the stream.
        history: What was spoken before, in a conversation.
    """

    def __init__(self, options: SynthesisOptions, history: History | None = None) -> None:
        self._options = options
        self._reference: list[Codes | None] | None = None
        self._has_voice = False
        self.timeline = Timeline()
        self._reader = self._make_reader()
        self._limits = TextLimits(is_whole=options.tokens is not None)
        self._history = history or History(options.history_s)
        self._history.separate()
        self.segment = self.speaker = ""
        self._attempts_left = 0
        self.is_spoken = False
        self._is_continued = False
        self._is_alone_next = self._is_within = False
        self._num_spoken = 0
        self._prompted: list[int] = []
        self._max_frames = 0
        self._has_ended = False
        self.memory = None
        self.is_vain = False

    @property
    def is_within(self) -> bool:
        """See `Script`; a segment that is to begin again, with another prompt, is not over."""
        return self._is_within or self._is_alone_next

    @property
    def is_over(self) -> bool:
        """See `Script`."""
        return self._has_ended and self._has_voice

    @property
    def is_silence_wanted(self) -> bool:
        """See `Script`."""
        return _ANY_PAUSE in self.segment

    def set_reference(self, reference: list[Codes | None] | None) -> None:
        """See `Script`."""
        self._reference = reference
        self._has_voice = True

    @property
    def num_waiting(self) -> int:
        """See `Script`."""
        return self._reader.num_waiting

    @property
    def num_readable(self) -> int:
        """See `Script`."""
        return self._reader.num_readable

    @property
    def num_begun(self) -> int:
        """See `Script`."""
        return self._reader.num_begun

    def feed(self, written: str, now_s: float) -> None:
        """See `Script`."""
        self.timeline.write(written)
        before = self.num_readable
        self._reader.feed(written, now_s)
        self._limits.count(len(written), self.num_readable - before)

    def flush(self, now_s: float) -> None:
        """See `Script`."""
        self._reader.flush(now_s)

    def whole(self) -> None:
        """See `Script`."""
        self._reader.whole()

    def end(self, now_s: float) -> None:
        """See `Script`."""
        self._reader.end(now_s)
        self._has_ended = True

    def begin(self, now_s: float, lead_s: float) -> Begin | None:
        """See `Script`."""
        if not self._has_voice:
            return None
        if self._is_alone_next:
            self._is_alone_next = False
            return self._prompt_alone()
        while (segment := self._reader.next(now_s, lead_s)) is not None:
            speaker = self._reader.speaker
            self.timeline.begin(segment, speaker)
            if is_speakable(segment):
                self.segment, self.speaker = segment, speaker
                return self._prompt(segment)
            self.timeline.end_segment()
        return None

    def begun(self, prompt: Prompt, room: int) -> None:
        """See `Script`; prompts with a whole text are cut to what fits when they are built."""

    def max_frames(self) -> int:
        """See `Script`; a wanted length may be missed by half."""
        return self._max_frames

    def _most_frames(self) -> int:
        if self._options.tokens is not None:
            return self._options.tokens * 3 // 2 + 25
        pauses_s = sum(float(found[1]) for found in _PAUSE.finditer(self.segment))
        return int((SLOWEST * estimate_s(self.segment) + SPARE_S + pauses_s) / FRAME_S)

    def more(self, now_s: float, lead_s: float) -> Give | None:
        """See `Script`; the prompt holds the whole text."""
        return None

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
        self._history.add(codes)

    def end_segment(self, num_unread: int) -> bool:
        """See `Script`."""
        if self._attempts_left:
            self._attempts_left -= 1
            return True
        self._is_within = False
        if not self.is_spoken and self._is_continued:
            self._is_alone_next = True
            return False
        if not self.is_spoken:
            logger.warning(
                "The model spoke nothing for a segment of %d characters; it is passed over.",
                len(self.segment),
            )
        self.timeline.end_segment()
        return False

    def drop(self) -> None:
        """See `Script`: the next turn cannot continue a segment that is not whole."""
        if self.is_within:
            self._history.forget(1)
            self._prompted.pop()
            self._is_within = self._is_alone_next = False

    def keep_heard(self, seconds: float) -> None:
        """See `Script`; a segment is kept if it was heard to its end."""
        heard = [index for index in self._prompted if self.timeline.is_heard(index, seconds)]
        self._history.forget(len(self._prompted) - len(heard))
        self._prompted = heard

    def check_spoken(self) -> None:
        """See `Script`."""
        if not self.segment:
            raise TextError("There is nothing to say: the text holds no letter and no digit.")
        if not self._num_spoken:
            raise NoAudio("The model ended at once and spoke nothing. Try another seed or a longer text.")

    def _prompt(self, segment: str) -> Begin:
        self.is_spoken = False
        self._prompted.append(self.timeline.num_segments - 1)
        text, prefix = self._history.begin(segment, self.speaker)
        self._is_continued = prefix is not None
        return self._begin(text, self._reference, prefix)

    def _prompt_alone(self) -> Begin:
        """Prompt the segment as if it were the first.

        A model may take a last word for the end of what it continues, and end at once. Without a voice to
        follow, it follows the voice of what it said before.
        """
        self._is_continued = False
        recent = None if self.speaker else self._history.recent()
        reference = self._reference or (None if recent is None else [recent])
        return self._begin(joined([(self.speaker, self.segment)]).strip(), reference, None)

    def _begin(self, text: str, reference: list[Codes | None] | None, prefix: Codes | None) -> Begin:
        self._attempts_left = MAX_ATTEMPTS - 1
        self._is_within, self._max_frames = True, self._most_frames()
        return Begin(self._message(self._worded(text), reference), prefix)

    def _make_reader(self) -> SegmentReader:
        """Return what reads the text and cuts it."""
        options = self._options
        normalizer = normalizer_for(options.hidden_tags, options.lexicon)
        if options.tokens is not None:
            return Reader(normalizer, WholeSegmenter(), self.timeline.read, None)
        max_wait_s = options.max_wait_ms / 1000
        return Reader(normalizer, LeadSegmenter(max_wait_s), self.timeline.read, max_wait_s)

    def _worded(self, text: str) -> str:
        """Return what the model reads of what was said and is said now."""
        return text

    def _message(self, text: str, reference: list[Codes | None] | None) -> Message:
        """Return what the model is asked."""
        options = self._options
        return Message(
            text=text,
            reference=reference,
            tokens=options.tokens,
            instruction=options.instruction,
            quality=options.quality,
            sound_event=options.sound_event,
            ambient_sound=options.ambient_sound,
            language=options.language,
        )
