from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moss_stream.text.breaks import is_speakable
from moss_stream.text.duration import estimate_s
from moss_stream.text.segmenter import LeadSegmenter, Segmenter, WholeSegmenter

# Mostly what decides about a cut, so that short examples meet it often.
TEXTS = st.text(st.sampled_from("ab1 .!?…\"')[/]\n。！」，,é声") | st.characters(), max_size=80)
LEADS = st.sampled_from([0.0, 0.3, 1.0, 5.0])
PLENTY, SOME, NONE = 5.0, 0.8, 0.0
WAIT = 0.3


def drawn(segmenter: Segmenter, now_s: float = 0.0, lead_s: float = PLENTY) -> list[str]:
    """All segments that are ready."""
    segments = []
    while (segment := segmenter.next(now_s, lead_s)) is not None:
        segments.append(segment)
    return segments


def fed(*texts: str, lead_s: float = PLENTY, now_s: float = 0.0) -> list[str]:
    """The segments of a text that came at time 0 and goes on, drawn at `now_s`."""
    segmenter = LeadSegmenter(WAIT)
    segments = []
    for text in texts:
        segmenter.feed(text, 0.0)
        segments += drawn(segmenter, now_s, lead_s)
    return segments


@given(st.lists(st.tuples(TEXTS, st.floats(0, 2), LEADS, st.booleans()), max_size=12))
def test_nothing_is_lost_or_added(events: list[tuple[str, float, float, bool]]) -> None:
    """Whatever the deltas, the time between them, the lead and the flushes: the segments are the text."""
    segmenter, now_s, segments = LeadSegmenter(WAIT), 0.0, list[str]()
    for text, pause_s, lead_s, is_flushed in events:
        segmenter.feed(text, now_s)
        if is_flushed:
            segmenter.flush()
        segments += drawn(segmenter, now_s := now_s + pause_s, lead_s)
    segmenter.end()
    segments += drawn(segmenter, now_s)
    assert "".join(segments) == "".join(text for text, *_ in events)
    assert all(segments) and segmenter.num_chars == 0


@given(st.lists(TEXTS, max_size=12))
def test_a_wanted_length_keeps_the_text_whole(texts: list[str]) -> None:
    """The whole text is one segment, after its end."""
    segmenter = WholeSegmenter()
    for text in texts:
        segmenter.feed(text, 0.0)
        segmenter.flush()
        assert segmenter.next(9.0, NONE) is None
    segmenter.end()
    assert "".join(drawn(segmenter)) == "".join(texts)


@given(TEXTS, LEADS, st.floats(0, 1))
def test_a_segment_has_something_to_say(text: str, lead_s: float, now_s: float) -> None:
    """While text may still come, nothing is cut off that has no word."""
    assert all(map(is_speakable, fed(text, lead_s=lead_s, now_s=now_s)))


def test_the_first_clause_is_spoken_at_once() -> None:
    """Speech begins with the first clause; a very short one takes the next with it."""
    assert fed("Of course, I can ", lead_s=NONE) == ["Of course,"]
    assert fed("Oh, of course, I ", lead_s=NONE) == ["Oh, of course,"]


def test_with_audio_in_hand_sentences_stay_whole() -> None:
    """Clauses wait for their sentence, short sentences for the next one."""
    assert fed("Of course, I can ", lead_s=PLENTY) == []
    assert fed("Of course, I can do that. And", lead_s=PLENTY) == ["Of course, I can do that."]
    assert fed("No. Then", lead_s=PLENTY) == []
    assert fed("No. Then we must go. And", lead_s=PLENTY) == ["No. Then we must go."]


def test_what_is_there_is_joined() -> None:
    """Sentences that came already are spoken in one go, up to some seconds."""
    sentence = "This is a sentence of average length. "
    (first, *others) = fed(sentence * 10 + "And", lead_s=SOME)
    assert first.count(".") == 2 and estimate_s(first) < 8 and "".join([first, *others]).count(".") == 10


def test_words_are_spoken_when_the_text_stalls_and_the_listener_runs_dry() -> None:
    """Up to the last word that is whole, and only when both the text and the audio have run out."""
    text = "I would say that it dep"
    assert fed(text, lead_s=NONE, now_s=0.1) == []
    assert fed(text, lead_s=PLENTY, now_s=9.0) == []
    assert fed(text, lead_s=SOME, now_s=9.0) == []
    assert fed(text, lead_s=NONE, now_s=0.4) == ["I would say that it"]
    assert fed("I would say so.", lead_s=NONE, now_s=0.4) == ["I would say so."]
    assert fed("It costs 3.", lead_s=NONE, now_s=0.4) == ["It costs"]


@pytest.mark.parametrize(
    "text", ["我想说的是这个问题很", "โรงเรียนภาษาไทย", "unbelieva", "3.", "Hi", "$25.", "Dr."]
)
def test_a_last_word_is_spoken_after_a_longer_pause(text: str) -> None:
    """While it may still go on it waits; after less than a second it is taken for whole."""
    assert fed(text, lead_s=NONE, now_s=0.5) == []
    assert fed(text, lead_s=PLENTY, now_s=9.0) == []
    assert fed(text, lead_s=NONE, now_s=0.75) == [text]


@pytest.mark.parametrize("text", ["Hello!", "It is done.", "Is it so?", "He said “yes.”", "你好。"])
def test_closing_punctuation_is_complete_at_once(text: str) -> None:
    """Nothing else is waited for than the pause."""
    assert fed(text, lead_s=NONE, now_s=0.2) == []
    assert fed(text, lead_s=NONE, now_s=0.35) == [text]


def test_a_dry_listener_gets_words_while_text_keeps_coming() -> None:
    """A clause that does not end is cut at a word, in a script without spaces between two characters."""
    for deltas, first in (
        (["It ", "may ", "well ", "be "], "It may well be"),
        (["The [0, ", "1) ", "half ", "of "], "The [0,"),
        (list("我想说的"), "我想说"),
        (["unbe", "liev", "a", "b"], None),
    ):
        segmenter, segments = LeadSegmenter(WAIT), list[str]()
        for index, delta in enumerate(deltas[:4]):
            segmenter.feed(delta, 0.2 * index)
            assert segmenter.next(0.2 * index, NONE) is None
        segments += drawn(segmenter, 0.75, NONE)
        assert segments[:1] == ([first] if first else [])


def test_it_tells_when_to_ask_again() -> None:
    """The wait ends when the lead or the pause would allow a weaker cut."""
    segmenter = LeadSegmenter(WAIT)
    assert segmenter.wait_s(0.0, NONE) is None
    segmenter.feed("Well, I would ", 1.0)
    for lead_s in (PLENTY, SOME, NONE):
        now_s, waits = 1.0, 0
        while segmenter.next(now_s, max(0.0, lead_s)) is None and waits < 5:
            wait_s = segmenter.wait_s(now_s, max(0.0, lead_s))
            assert wait_s is not None and wait_s > 0
            now_s, lead_s, waits = now_s + wait_s, lead_s - wait_s, waits + 1
        assert 0 <= waits < 5
        segmenter.feed("Well, I would ", 1.0)


def test_flush_speaks_what_is_there() -> None:
    """Flushed text is spoken to its last letter; what comes later waits for its own end."""
    segmenter = LeadSegmenter(WAIT)
    segmenter.feed("One moment", 0.0)
    segmenter.flush()
    segmenter.feed(" please, and then", 0.0)
    assert drawn(segmenter) == ["One moment"]
    segmenter.end()
    assert drawn(segmenter) == [" please, and then"]


@pytest.mark.parametrize("text", ["word " * 300, "a" * 900, "声" * 500, "1" * 500, "[" * 500, "a, " * 400])
def test_an_endless_sentence_is_cut_somewhere(text: str) -> None:
    """A text without an end does not wait for ever, and no segment is longer than 20 s of speech."""
    segments = fed(text, lead_s=PLENTY)
    assert segments and all(estimate_s(segment) <= 20.3 for segment in segments)


def test_long_sentences_are_whole_up_to_twenty_seconds() -> None:
    """A sentence of 15 s is one segment, and nothing is joined to it."""
    text = "This is a sentence that goes on and on " * 5
    assert fed(text + "and ends. Short. And", lead_s=PLENTY)[0] == text + "and ends."
