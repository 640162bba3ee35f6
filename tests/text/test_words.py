from __future__ import annotations

import random

import pytest
from realtime_data import prompts

from moss_stream.text.words import MAX_RUN, WordSegmenter

TEXTS = [
    "We stand on the threshold of the AI era. Hello, may I ask which city you are from?",
    "Wait!\nA list:\n- one,  two\n- three (3.5 %) — and 1,000 more…",
    "  It's  \n\n 10:30, isn't it?  ",
    "Ein Öl-Tank; naïve café 東京 and «quotes»",
]


def words(made: WordSegmenter, now_s: float = 0.0, lead_s: float = 9.0) -> list[str]:
    found = []
    while (word := made.next(now_s, lead_s)) is not None:
        found.append(word)
    return found


@pytest.mark.parametrize("text", TEXTS)
def test_words_are_tokenized_as_the_text_is(text: str) -> None:
    """However the text arrives: joined they are the text, and their tokens are its tokens."""
    encode = prompts().tokens
    chance = random.Random(0)
    for _ in range(20):
        made, found, rest = WordSegmenter(0.3), [], text
        while rest:
            count = chance.randint(1, 5)
            made.feed(rest[:count], 0.0)
            rest = rest[count:]
            found += words(made)
        made.end()
        found += words(made)
        assert "".join(found) == text
        assert [token for word in found for token in encode(word)] == encode(text)


def test_a_word_is_whole_when_a_space_follows() -> None:
    """Not before: a longer word has other tokens."""
    made = WordSegmenter(0.3)
    made.feed("Hello wor", 0.0)
    assert words(made) == ["Hello"]
    made.feed("ld", 0.0)
    assert words(made) == [] and made.num_chars == 6
    made.feed(" a", 0.0)
    assert words(made) == [" world"]


def test_a_text_without_spaces_is_cut_before_marks_and_when_it_is_long() -> None:
    """Nobody waits for a clause of Chinese."""
    made = WordSegmenter(0.3)
    made.feed("你好，世界很大", 0.0)
    assert words(made) == ["你好"]
    made.feed("而且很美丽非常非常大", 0.0)
    found = words(made)
    assert (
        "".join(found) == "，世界很大而且很美丽非常非常大"[: sum(map(len, found))]
        and made.num_chars <= MAX_RUN
    )


def test_a_pause_gives_the_last_word_to_a_listener_who_runs_dry() -> None:
    """At once after a mark, a little later otherwise; with audio in hand it waits."""
    made = WordSegmenter(0.3)
    made.feed("Hello there!", 0.0)
    assert words(made, 0.1, 0.0) == ["Hello"]
    assert words(made, 0.29, 0.0) == [] and words(made, 9.0, 5.0) == []
    assert made.wait_s(0.1, 0.0) == pytest.approx(0.2)
    assert words(made, 0.31, 0.0) == [" there!"]
    made.feed(" and then", 1.0)
    assert words(made, 1.35, 0.0) == [" and"] and words(made, 1.69, 0.0) == []
    assert not made.has_stopped(1.75, 0.0), "a word waits"
    assert words(made, 1.71, 0.0) == [" then"]
    assert made.has_stopped(1.71, 0.0) and not made.has_stopped(1.69, 0.0) and not made.has_stopped(1.71, 2.0)


def test_of_a_whole_text_nothing_is_decided_by_time() -> None:
    """The same text is always cut alike."""
    made = WordSegmenter(0.3)
    made.whole()
    made.feed("Hello there", 0.0)
    assert words(made, 99.0, 0.0) == ["Hello"] and made.wait_s(99.0, 0.0) is None
    assert not made.has_stopped(99.0, 0.0)
    made.end()
    assert words(made) == [" there"]


def test_flushed_words_are_given_and_later_ones_wait() -> None:
    """White space at the end, too."""
    made = WordSegmenter(0.3)
    made.feed("Hello there ", 0.0)
    made.flush()
    made.feed("more", 0.0)
    assert words(made) == ["Hello", " there", " "]
    made.flush()
    assert words(made) == ["more"]
    made.feed(" and", 0.0)
    made.flush()
    made.feed("ante", 0.0)
    assert words(made) == [" and"], "what was flushed waits for nothing"
    made.flush()
    assert words(made) == ["ante"]
    made.feed(" \n", 0.0)
    made.flush()
    assert words(made) == [" \n"]
