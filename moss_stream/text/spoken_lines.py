"""The script of a dialogue: several speakers take turns, each with a voice."""

from __future__ import annotations

from collections.abc import Collection

from moss_stream.config import SynthesisOptions
from moss_stream.text.dialogue_normalizer import dialogue_normalized
from moss_stream.text.history import History
from moss_stream.text.line_reader import LineReader
from moss_stream.text.reader import Reader, SegmentReader
from moss_stream.text.respelled import normalizer_for
from moss_stream.text.segmented import Segmented
from moss_stream.text.segmenter import LeadSegmenter

__all__ = ["SpokenLines"]


class SpokenLines(Segmented):
    """Implements `Script`: a segment ends with its speaker's line, or before.

    Args:
        options: Of the stream.
        history: What was said before, which the dialogue goes on with.
        speakers: Those that may speak; None: any.
    """

    def __init__(
        self, options: SynthesisOptions, history: History, speakers: Collection[str] | None = None
    ) -> None:
        self._speakers = speakers
        super().__init__(options, history)

    def _make_reader(self) -> SegmentReader:
        max_wait_s = self._options.max_wait_ms / 1000
        normalizer = normalizer_for(self._options.hidden_tags, self._options.lexicon)
        segmenter = LeadSegmenter(max_wait_s)
        return LineReader(
            lambda on_read: Reader(normalizer, segmenter, on_read, max_wait_s),
            self.timeline.read,
            self._speakers,
        )

    def _worded(self, text: str) -> str:
        return dialogue_normalized(text)
