from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moss_stream.text.segmenter import Segmenter, SentenceSegmenter, WholeSegmenter, is_speakable

# Mostly what decides about a cut, so that short examples meet it often.
TEXTS = st.text(st.sampled_from("ab1 .!?…\"')\n。！」,é声") | st.characters(), max_size=80)


def run(segmenter: Segmenter, deltas: list[str]) -> list[str]:
    """All segments of a text that arrives in `deltas`."""
    return [segment for delta in deltas for segment in segmenter.feed(delta)] + segmenter.end()


def sentences(text: str, min_chars: int = 1) -> list[str]:
    """The segments of a whole text."""
    return run(SentenceSegmenter(min_chars), [text])


@given(st.lists(TEXTS, max_size=12), st.integers(1, 30))
def test_nothing_is_lost_or_added(deltas: list[str], min_chars: int) -> None:
    """However the text is cut into deltas, the segments joined are the text."""
    assert "".join(run(SentenceSegmenter(min_chars), deltas)) == "".join(deltas)
    assert "".join(run(WholeSegmenter(), deltas)) == "".join(deltas)


@given(st.text(st.sampled_from("ab1 .!?…\"')\n,é"), max_size=80))
def test_the_deltas_do_not_decide_the_sentences(text: str) -> None:
    """A text that arrives letter by letter is cut where the whole text is."""
    assert run(SentenceSegmenter(5), list(text)) == sentences(text, 5)


@given(TEXTS, st.integers(1, 30))
def test_segments_are_long_enough_and_speakable(text: str, min_chars: int) -> None:
    """Every segment but the last has the wanted length and something to say."""
    for segment in sentences(text, min_chars)[:-1]:
        assert len(segment) >= min_chars and is_speakable(segment)


@given(TEXTS)
def test_a_segmenter_begins_anew_after_the_end(text: str) -> None:
    """Nothing of an ended text comes back in the next one."""
    segmenter = SentenceSegmenter()
    run(segmenter, [text])
    assert segmenter.end() == [] and run(segmenter, ["Yes."]) == ["Yes."]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("One. Two! Three? Four… Five", ["One.", " Two!", " Three?", " Four…", " Five"]),
        ('He said "Go." Then (so.) he went.', ['He said "Go."', " Then (so.)", " he went."]),
        ("Wait... what?! No.", ["Wait...", " what?!", " No."]),
        ("A line\nand another\n", ["A line\n", "and another\n"]),
        ("Pi is 3.14 and 2.50 is not 1,000.5 at all", ["Pi is 3.14 and 2.50 is not 1,000.5 at all"]),
        ("See example.com/a?b=c now", ["See example.com/a?b=c now"]),
        ("Dr. Smith met Mr. J. Doe. Fine.", ["Dr. Smith met Mr. J. Doe.", " Fine."]),
        ("Fruit, e.g. apples, at 5 p.m. today. Yes.", ["Fruit, e.g. apples, at 5 p.m. today.", " Yes."]),
        ("It closes at 5 p.m. Then we go.", ["It closes at 5 p.m.", " Then we go."]),
        ("Tea, milk etc. are there. Cake etc. Yes.", ["Tea, milk etc. are there.", " Cake etc.", " Yes."]),
        ("1. Stir. 2. Wait.", ["1. Stir.", " 2. Wait."]),
        ("Am 3. Mai z.B. um 8. Ja, 1999. Gut.", ["Am 3. Mai z.B. um 8. Ja, 1999.", " Gut."]),
        ("The U.S. Army came. So did I. Good.", ["The U.S. Army came.", " So did I.", " Good."]),
        ("In 1,000.5. And", ["In 1,000.5.", " And"]),
        ("你好。你是谁？我很好！", ["你好。", "你是谁？", "我很好！"]),
        ("他说：「走吧。」然后走了。", ["他说：「走吧。」", "然后走了。"]),
        ("नमस्ते। कैसे हो?", ["नमस्ते।", " कैसे हो?"]),
        ("", []),
    ],
)
def test_sentence_ends(text: str, wanted: list[str]) -> None:
    """Speech pauses after sentences of any script, and not within numbers or addresses."""
    assert sentences(text) == wanted


def test_a_full_stop_waits_for_what_follows() -> None:
    """A delta that ends in "3." is not spoken before it is known that no digit follows."""
    segmenter = SentenceSegmenter(1)
    assert segmenter.feed("It costs 3.") == []
    assert segmenter.feed("50 today.") == []
    assert segmenter.feed(" Yes") == ["It costs 3.50 today."]
    assert segmenter.end() == [" Yes"]


def test_a_chinese_full_stop_does_not_wait() -> None:
    """A Chinese sentence needs no space after it: the next character shows that no quote closes."""
    segmenter = SentenceSegmenter(3)
    assert segmenter.feed("“你好吗？") == []
    assert segmenter.feed("”他") == ["“你好吗？”"]
    assert segmenter.feed("问。我") == ["他问。"]


def test_short_sentences_are_joined() -> None:
    """Sentences too short to sound natural alone are spoken with the next one."""
    assert sentences("No. Yes. Well, that depends on it. Good.", 20) == [
        "No. Yes. Well, that depends on it.",
        " Good.",
    ]


def test_a_text_without_a_word_is_not_a_segment_of_its_own() -> None:
    """Marks alone wait for words."""
    assert sentences("--- !!! ... \n Hello there. Bye") == ["--- !!! ... \n Hello there.", " Bye"]


def test_the_whole_text_is_one_segment() -> None:
    """With a wanted length the text is spoken in one go, whatever its sentences."""
    segmenter = WholeSegmenter()
    assert segmenter.feed("One. ") == [] and segmenter.feed("Two.\n") == []
    assert segmenter.end() == ["One. Two.\n"]


@pytest.mark.parametrize(
    ("text", "speakable"), [("a", True), ("7", True), ("声", True), (" .!?—", False), ("", False)]
)
def test_speakable(text: str, speakable: bool) -> None:
    """There is something to say if there is a letter or digit of any script."""
    assert is_speakable(text) is speakable
