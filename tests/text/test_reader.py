from __future__ import annotations

from moss_stream.text.normalizer import Normalizer
from moss_stream.text.reader import HOLD_S, Reader
from moss_stream.text.segmenter import LeadSegmenter, WholeSegmenter

WAIT_S = 0.3


def reader(is_whole: bool = False) -> tuple[Reader, list[int]]:
    """A reader, and the ends of what it has read out."""
    ends: list[int] = []
    segmenter = WholeSegmenter() if is_whole else LeadSegmenter(WAIT_S)
    return Reader(Normalizer(), segmenter, ends.extend, None if is_whole else WAIT_S), ends


def test_what_may_be_a_mark_waits_only_while_the_listener_has_audio() -> None:
    """With audio in hand an open bracket waits for its end; without, it is read as it stands."""
    made, ends = reader()
    made.feed("The interval [0, 1) holds", 0.0)
    assert made.num_readable == len("The interval ") and made.num_waiting == len("The interval [0, 1) holds")
    assert "[0" not in (made.next(10.0, 30.0) or "")
    wait_s = made.wait_s(0.0, 0.0)
    assert wait_s is not None and wait_s <= HOLD_S
    spoken = made.next(HOLD_S + 1.0, 0.0) or ""
    assert made.num_readable == len("The interval [0, 1) holds") == ends[-1] and spoken


def test_what_comes_after_a_forced_reading_goes_on_where_it_was() -> None:
    """Nothing is read twice, and nothing is lost."""
    made, ends = reader()
    made.feed("Say [this", 0.0)
    said = made.next(5.0, 0.0) or ""
    made.feed(" and that. ", 5.0)
    made.end(5.0)
    while (segment := made.next(20.0, 0.0)) is not None:
        said += segment
    assert said.split() == ["Say", "[this", "and", "that."] and ends == sorted(ends)


def test_a_whole_text_waits_for_its_end() -> None:
    """However long nobody hears anything."""
    made, _ = reader(is_whole=True)
    made.feed("One [two", 0.0)
    assert made.next(1e6, 0.0) is None and made.wait_s(1e6, 0.0) is None
    made.end(1e6)
    assert made.next(1e6, 0.0) == "One [two"
