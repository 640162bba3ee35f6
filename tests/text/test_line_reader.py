from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from moss_stream.errors import TextError
from moss_stream.text.line_reader import LineReader
from moss_stream.text.normalizer import Normalizer
from moss_stream.text.reader import Reader
from moss_stream.text.segmenter import LeadSegmenter

TEXT = "[S1]Good morning. How are you?\n[S2]Fine, **thank you**! And you? [S1]So am I.[S3] I am not."
SPOKEN = [
    ("S1", "Good morning. How are you?"),
    ("S2", "Fine, thank you! And you?"),
    ("S1", "So am I."),
    ("S3", "I am not."),
]


def read_alone(on_read: Callable[[list[int]], None]) -> Reader:
    return Reader(Normalizer(()), LeadSegmenter(0.3), on_read, 0.3)


class Lab:
    """A reader of dialogues, and what it was told."""

    def __init__(self, speakers: set[str] | None = None) -> None:
        self.ends: list[int] = []
        self.reader = LineReader(read_alone, self.ends.extend, speakers)
        self.found: list[tuple[str, str]] = []

    def take(self, lead_s: float = math.inf) -> None:
        """Take every segment that is ready."""
        while (segment := self.reader.next(0.0, lead_s)) is not None:
            self.found.append((self.reader.speaker, segment))

    def lines(self) -> list[tuple[str, str]]:
        """What was spoken, segments of one line joined."""
        lines: list[tuple[str, str]] = []
        for speaker, segment in self.found:
            if lines and lines[-1][0] == speaker:
                lines[-1] = speaker, lines[-1][1] + segment
            else:
                lines.append((speaker, segment))
        return [(speaker, line.strip()) for speaker, line in lines]


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("lead_s", [0.0, 5.0])
def test_every_line_is_read_once_in_order_by_its_speaker(seed: int, lead_s: float) -> None:
    """However the text is cut, and however eager the listener: no segment has words of two speakers."""
    made, rng, rest = Lab(), random.Random(seed), TEXT
    while rest:
        count = rng.randint(1, 9)
        made.reader.feed(rest[:count], 0.0)
        rest = rest[count:]
        if rng.random() < 0.6:
            made.take(lead_s)
    made.reader.end(0.0)
    made.take(lead_s)
    assert made.lines() == SPOKEN
    assert made.reader.num_waiting == 0 and made.reader.num_begun == made.reader.num_readable == len(TEXT)
    assert made.ends == sorted(made.ends) and made.ends[-1] <= len(TEXT)


def test_where_characters_were_written() -> None:
    """Tags and marks included, over all lines."""
    made = Lab()
    made.reader.feed(TEXT, 0.0)
    made.reader.end(0.0)
    made.take()
    read = "".join(segment for _, segment in made.found)
    at = read.index("thank")
    assert TEXT[made.ends[at] - 1 :].startswith("thank")
    assert TEXT[made.ends[read.index("I am not")] - 1 :].startswith("I am not")


def test_a_line_ends_where_the_next_one_begins() -> None:
    """Without waiting for more; what is behind it waits as it was written."""
    made = Lab()
    made.reader.feed("[S1]Well", 0.0)
    made.take()
    assert not made.found
    made.reader.feed("[S2]", 0.0)
    made.take()
    assert made.found == [("S1", "Well")] and made.reader.num_waiting == 0


def test_flushing_speaks_what_is_there_of_every_line() -> None:
    """And the last line may go on."""
    made = Lab()
    made.reader.feed("[S1]One [S2]two three", 0.0)
    made.reader.flush(0.0)
    made.take()
    assert [(who, text.strip()) for who, text in made.found] == [("S1", "One"), ("S2", "two three")]
    made.reader.feed(" four", 0.0)
    made.reader.end(0.0)
    made.take()
    assert made.found[-1] == ("S2", " four")


def test_whoever_has_no_voice_is_refused() -> None:
    """As soon as the tag is read, with those that there are."""
    made = Lab({"S1", "S2"})
    made.reader.feed("  [S1]One[S2]", 0.0)
    with pytest.raises(TextError, match="a line of S4.*S1, S2"):
        made.reader.feed("two[S4]", 0.0)
    with pytest.raises(TextError, match="without saying who speaks"):
        Lab({"S1"}).reader.feed("Hello [S1] there", 0.0)


def test_a_dialogue_without_tags_is_a_text() -> None:
    """Where anybody may speak."""
    made = Lab()
    made.reader.whole()
    made.reader.feed("Hello there.", 0.0)
    made.reader.end(0.0)
    made.take()
    assert made.found == [("", "Hello there.")]
