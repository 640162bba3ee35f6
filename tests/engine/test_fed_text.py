from __future__ import annotations

import numpy as np

from moss_stream.engine.fed_text import FedText
from moss_stream.families.network import TextFeed

FEED = TextFeed(opening=3, pad_id=99, pad_code=8, bos_code=9)


def text() -> FedText:
    made = FedText(FEED, 2)
    made.begin(is_retry=False)
    return made


def speak(made: FedText, *codes: int) -> None:
    """Make frames."""
    for code in codes:
        made.stepped()
        made.made(np.array([code, code]))


def test_the_opening_waits_for_its_tokens() -> None:
    """Three of them; the last row says that audio begins."""
    made = text()
    made.give([1, 2], is_last=False)
    assert not made.is_ready and not made.is_opened
    made.give([3, 4], is_last=False)
    assert made.is_ready
    assert made.open().tolist() == [[1, 8, 8], [2, 8, 8], [3, 9, 8]]
    assert made.is_opened and made.num_unread == 1


def test_a_short_text_opens_when_it_is_over() -> None:
    """With what there is; without a token there is nothing to say."""
    made = text()
    made.give([], is_last=True)
    assert not made.is_ready
    made.give([1], is_last=True)
    assert made.is_ready and made.open().tolist() == [[1, 9, 8]]


def test_every_row_after_the_first_frame_takes_a_token_then_pads() -> None:
    """It waits while the text may go on."""
    made = text()
    made.give([1, 2, 3, 4], is_last=False)
    made.open()
    assert made.is_ready, "the first frame needs no more text"
    speak(made, 5)
    assert made.is_ready and made.next_id == 4
    speak(made, 6)
    assert not made.is_ready
    made.give([], is_last=True)
    assert made.is_ready and made.next_id == 99
    speak(made, 7)
    assert made.read.tolist() == [[4, 5, 5], [99, 6, 6]], "the last frame is not in the cache yet"


def test_what_was_not_read_is_read_when_it_begins_anew() -> None:
    """And the end of the text is remembered until then."""
    made = text()
    made.give([1, 2, 3, 4, 5], is_last=True)
    made.open()
    speak(made, 5)
    made.begin(is_retry=False)
    assert made.num_unread == 2 and made.is_ready
    assert made.open().tolist() == [[4, 8, 8], [5, 9, 8]]
    made.begin(is_retry=False)
    assert not made.is_ready and made.read.shape == (0, 3)
    made.give([6], is_last=False)
    assert not made.is_ready, "that was the end of another text"


def test_a_text_after_which_nothing_was_said_is_read_again() -> None:
    """The opening, what was read with rows that were no audio, and that it is over."""
    made = text()
    made.give([1, 2, 3, 4], is_last=True)
    made.open()
    speak(made, 9)
    made.begin(is_retry=True)
    assert made.open()[:, 0].tolist() == [1, 2, 3]
    speak(made, 5, 6)
    made.begin(is_retry=True)
    assert made.num_unread == 4 and made.is_ready


def test_a_new_stream_reads_nothing_of_the_last_one() -> None:
    """Tokens, end and rows are gone."""
    made = text()
    made.give([1, 2, 3, 4], is_last=True)
    made.open()
    made.clear()
    assert made.num_unread == 0 and not made.is_opened and not made.is_ready
