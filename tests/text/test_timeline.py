from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moss_stream.audio import FRAME_S
from moss_stream.text.normalizer import Normalizer
from moss_stream.text.timeline import Timeline


def timeline(segments: list[tuple[str, int]], written: str | None = None, is_over: bool = True) -> Timeline:
    """A turn of segments with so many frames each."""
    made, normalizer = Timeline(), Normalizer()
    text = written if written is not None else "".join(text for text, _ in segments)
    made.write(text)
    made.read([*normalizer.feed(text).ends, *normalizer.end().ends])
    for segment, frames in segments:
        made.begin(segment)
        for _ in range(frames):
            made.frame()
        made.end_segment()
    if is_over:
        made.end()
    return made


def test_at_borders_what_was_heard_is_exact() -> None:
    """Nothing, whole segments, everything: known without guessing."""
    made = timeline([("One two.", 10), (" Three four.", 20)])
    for seconds, text in ((0.0, ""), (10 * FRAME_S, "One two."), (30 * FRAME_S, "One two. Three four.")):
        spoken = made.spoken(seconds)
        assert (spoken.text, spoken.char_end, spoken.exact) == (text, len(text), True)
        assert spoken.seconds == seconds


def test_within_a_segment_whole_words_are_estimated() -> None:
    """Half of the audio is about half of the text, cut after a word."""
    made = timeline([("alpha beta gamma delta", 22)])
    spoken = made.spoken(11 * FRAME_S)
    assert spoken.text == "alpha beta" and not spoken.exact


def test_a_segment_that_is_being_made_is_estimated_from_its_text() -> None:
    """While its length is not known, a second is worth some fourteen letters."""
    made = Timeline()
    text = "This sentence has forty letters, or more."
    made.write(text)
    made.read(list(range(1, len(text) + 1)))
    made.begin(text)
    for _ in range(12):
        made.frame()
    assert made.spoken(12 * FRAME_S).text == "This sentence"


@given(
    st.lists(st.tuples(st.text(st.sampled_from("ab .,é声\n"), min_size=1, max_size=20), st.integers(0, 9))),
    st.floats(0, 10),
)
def test_what_was_heard_grows_with_time(segments: list[tuple[str, int]], seconds: float) -> None:
    """It is a prefix of the text, and more time never means less text."""
    text = "".join(text for text, _ in segments)
    made = Timeline()
    made.write(text)
    made.read(list(range(1, len(text) + 1)))
    spans = [made.frame() for segment, frames in segments for _ in _begun(made, segment, frames)]
    spans.append(made.end())
    assert "".join(text[a:b] for a, b in spans) == text, "the parts of all frames are the text"
    heard = [made.spoken(share * seconds) for share in (0.0, 0.3, 0.7, 1.0)]
    assert all(text.startswith(spoken.text) for spoken in heard)
    assert [spoken.char_end for spoken in heard] == sorted(spoken.char_end for spoken in heard)


def _begun(made: Timeline, segment: str, frames: int) -> range:
    made.begin(segment)
    return range(frames)


def test_heard_text_is_that_of_the_language_model() -> None:
    """Marks that are not read out belong to what was heard."""
    made = timeline([("Say yes now.", 12)], written="Say **yes** now.")
    assert made.spoken(8 * FRAME_S).text == "Say **yes"
    assert made.spoken(12 * FRAME_S).text == "Say **yes** now."


def test_words_have_times() -> None:
    """Each word of a finished segment stands where its letters are, in the written text."""
    made = timeline([("One two.", 8), (" Three.", 7)], written="One *two*. Three.")
    words = made.words()
    assert [word.text for word in words] == ["One", "two*.", "Three."]
    assert words[0].start_s == 0.0 and words[1].end_s == pytest.approx(8 * FRAME_S)
    assert words[2].start_s == pytest.approx(9 * FRAME_S) and words[2].end_s == pytest.approx(15 * FRAME_S)
    assert all(a.end_s <= b.start_s for a, b in zip(words, words[1:], strict=False))


def test_segments_know_whether_they_were_heard() -> None:
    """A segment counts when its last frame was played."""
    made = timeline([("One.", 5), (" Two.", 5)])
    assert [made.is_heard(i, 5 * FRAME_S) for i in (0, 1)] == [True, False]
    assert made.is_heard(1, 10 * FRAME_S) and made.num_segments == 2


def test_a_word_that_stands_for_an_address_is_the_address() -> None:
    """Also at the beginning of the text."""
    made = timeline([("a.b is it", 9)], written="https://www.a.b/c is it")
    assert [word.text for word in made.words()] == ["https://www.a.b/c", "is", "it"]
    assert made.words()[0].char_start == 0


def test_frames_between_words() -> None:
    """The first frame of a segment, and those that are estimated to lie beside a space."""
    made = Timeline()
    text = "alphabetical order"
    made.write(text)
    made.read(list(range(1, len(text) + 1)))
    made.begin(text)
    found = []
    for _ in range(16):
        before = made.reached
        found.append((made.begins_word(), text[max(0, before - 1) : before + 1]))
        made.frame()
    assert found[0][0] and sum(begins for begins, _ in found) >= 2
    assert all(" " in near for begins, near in found[1:] if begins)


def test_what_is_still_to_come_is_estimated() -> None:
    """Of the segment that is spoken, and of the text behind it, at the pace of what was spoken before."""
    made = Timeline()
    text = "a" * 28
    made.write(text * 2)
    made.read(list(range(1, 57)))
    made.begin(text)
    assert made.left_s(0) == pytest.approx(2.0) and made.left_s(14) == pytest.approx(3.0)
    for _ in range(50):
        made.frame()
    assert made.left_s(14) == pytest.approx(1.0), "it takes longer than was estimated"
    made.end_segment()
    made.begin(text)
    assert made.left_s(0) == pytest.approx(4.0), "twice as slow as usual"
