from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from moss_stream.config import SynthesisOptions
from moss_stream.text.incremental import Incremental
from moss_stream.text.lexicon import Lexicon
from moss_stream.text.normalizer import Normalizer
from moss_stream.text.respelled import Respelled, normalizer_for
from moss_stream.text.segmented import Segmented
from moss_stream.text.timeline import Timeline

LEXICON = Lexicon(
    {
        "kubectl": "cube control",
        "ku": "coo",
        "US": "you ess",
        "new york": "nu yorrk",
        "New York City": "the city",
        "b": "bee",
        "重庆": "chong2 qing4",
        "庆": "磬",
        "tomato": "/təˈmɑːtəʊ/",
        "C++": "see plus plus",
        "é": "accent",
    }
)
PIECES = st.sampled_from(
    [
        "kubectl",
        "ku",
        "Ku",
        "be",
        "ctl",
        "new",
        "New",
        " York",
        " city",
        " City",
        "US",
        "us",
        "b",
        "重",
        "庆",
        "tomato",
    ]
    + [*"a1 _-.,*`[](\n+", "C++", "**", "e\u0301", "é", "\u0301", "https://b.c/d", "&amp;", "很"]
)
TEXTS = st.lists(PIECES, max_size=20).map("".join)
CUTS = st.lists(st.integers(0, 60), max_size=8)


def deltas(text: str, cuts: list[int]) -> list[str]:
    borders = sorted({0, len(text), *(cut for cut in cuts if cut <= len(text))})
    return [text[a:b] for a, b in zip(borders, borders[1:], strict=False)]


def read(pieces: list[str], lexicon: Lexicon = LEXICON) -> str:
    source = Respelled(Normalizer(), lexicon)
    return "".join([source.feed(piece).text for piece in pieces]) + source.end().text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Use kubectl, in New York.", "Use cube control, in nu yorrk."),
        ("**kubectl** and `ku`", "cube control and coo"),
        ("in New York City", "in the city"),
        ("我在重庆很好", "我在 chong2 qing4 很好"),
        ("重庆重庆", "chong2 qing4 chong2 qing4"),
        ("我在tomato", "我在 /təˈmɑːtəʊ/"),
        ("A tomato.", "A /təˈmɑːtəʊ/."),
        ("C++ or b", "see plus plus or bee"),
    ],
)
def test_words_are_respelled(text: str, expected: str) -> None:
    """Marks around them are not in the way; signs of pronunciation stand apart."""
    assert read([text]) == read(list(text)) == expected


@given(TEXTS, CUTS)
@example("New York City", [4, 9])
@example("庆\u0301", [])
def test_the_cut_into_deltas_does_not_matter(text: str, cuts: list[int]) -> None:
    """One character at a time, all at once, or anything between."""
    assert read(list(text)) == read([text]) == read(deltas(text, cuts))


@given(TEXTS)
def test_what_has_no_word_stays_as_it_is(text: str) -> None:
    """With its places."""
    plain, source = Normalizer(), Respelled(Normalizer(), Lexicon({"zzz": "z"}))
    for method in ("feed", "end"):
        arguments = (text,) if method == "feed" else ()
        assert getattr(source, method)(*arguments) == getattr(plain, method)(*arguments)


@given(TEXTS, CUTS)
def test_scripts_of_both_kinds_give_the_model_the_same_text(text: str, cuts: list[int]) -> None:
    """Whether it reads a segment before it speaks, or words while it speaks."""
    expected = read([text])
    options = SynthesisOptions(lexicon=LEXICON)
    for script in (Segmented(options), Incremental(options)):
        script.whole()
        script.set_reference(None)
        for piece in deltas(text, cuts):
            script.feed(piece, 0.0)
        script.end(0.0)
        spoken = ""
        reader = script._reader
        while (part := reader.next(0.0, 0.0)) is not None:
            spoken += part
        assert spoken == expected
        assert script.timeline._ends == sorted(script.timeline._ends)
        assert len(script.timeline._ends) == len(expected)
        assert not expected or script.timeline._ends[-1] <= len(text)


def spoken(text: str, lexicon: Lexicon = LEXICON) -> Timeline:
    """A timeline of one segment, spoken to its end."""
    timeline, source = Timeline(), Respelled(Normalizer(), lexicon)
    timeline.write(text)
    pieces = [source.feed(text), source.end()]
    for piece in pieces:
        timeline.read(piece.ends)
    timeline.begin("".join(piece.text for piece in pieces))
    for _ in range(40):
        timeline.frame()
    timeline.end_segment()
    return timeline


def test_words_and_what_was_heard_are_those_of_the_written_text() -> None:
    """Nobody sees the spellings; a word that is spelled as several is one word."""
    text = "See **kubectl** in New York, b & US."
    timeline = spoken(text)
    assert [word.text for word in timeline.words()] == ["See", "kubectl", "in", "New York,", "b", "&", "US."]
    for word in timeline.words():
        assert text[word.char_start : word.char_end] == word.text
    times = [(word.start_s, word.end_s) for word in timeline.words()]
    assert all(start < end for start, end in times) and times == sorted(times)
    for tenths in range(33):
        heard = timeline.spoken(tenths / 10)
        assert heard.text == text[: heard.char_end]
        assert (
            "cube" not in heard.text
            and heard.text == heard.text.rstrip()
            and not heard.text.endswith(("kube", "kubec", "New"))
        )


def test_a_short_spelling_stands_for_all_of_its_word() -> None:
    """A letter, too."""
    text = "The kubectl works."
    words = spoken(text, Lexicon({"kubectl": "k"})).words()
    assert [word.text for word in words] == ["The", "kubectl", "works."]


def test_a_flush_lets_go_of_what_waits() -> None:
    """And the text may go on."""
    source = Respelled(Normalizer(), LEXICON)
    assert source.feed("in New").text == "in " and source.held == "New" and source.num_held == 3
    assert source.num_read == 3
    assert source.flush().text == "New" and source.num_held == 0
    assert source.feed(" York. b").text + source.flush().text == " York. bee"


@pytest.mark.parametrize("kind", [Segmented, Incremental])
def test_a_listener_does_not_wait_for_what_may_become_a_word(kind: type[Segmented | Incremental]) -> None:
    """Where the text pauses it is read as it stands, as early as without a lexicon."""
    spoken = []
    for lexicon in (None, LEXICON):
        reader = kind(SynthesisOptions(lexicon=lexicon))._reader
        reader.feed("We saw New", 0.0)
        heard = []
        for tenths in range(20):
            while (part := reader.next(tenths / 10, 0.0)) is not None:
                heard.append((tenths, part.strip()))
        spoken.append([(tenths, word) for tenths, part in heard for word in part.split()])
    assert spoken[0] == spoken[1] and spoken[0][-1][1] == "New"


def test_a_stream_without_a_lexicon_reads_as_before() -> None:
    """By the normalizer alone."""
    assert isinstance(normalizer_for((), None), Normalizer)
