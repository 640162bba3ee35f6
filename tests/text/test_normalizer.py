from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from moss_stream.text.normalizer import Normalizer

# Mostly marks and what stands around them, so that short examples meet what is hard.
PIECES = st.sampled_from(
    [*"ab1 h.*_~`|!<>[]()&#-\\\n:", "**", "```", "~~~", "](", "https://", "www.", "a.b/c", "&amp;", "<br>"]
    + [
        "|--|",
        "- ",
        "# ",
        "> ",
        "👍🏽",
        "1\ufe0f\u20e3",
        "\u200d",
        "\u200c",
        "می",
        "é",
        "你",
        "\ud800",
        "\x07",
    ]
)
TEXTS = st.lists(PIECES, max_size=30).map("".join)


def whole(text: str) -> str:
    """What is read out of a text that is there at once."""
    return in_deltas([text])


def in_deltas(deltas: list[str]) -> str:
    """What is read out of a text that arrives in `deltas`."""
    normalizer = Normalizer()
    return "".join([normalizer.feed(delta).text for delta in deltas]) + normalizer.end().text


@given(TEXTS, st.lists(st.integers(0, 60), max_size=8))
@example("[a](b)", [1, 2, 3, 4, 5])
def test_the_cut_into_deltas_does_not_matter(text: str, cuts: list[int]) -> None:
    """One character at a time, all at once, or anything between: the same is read out."""
    assert in_deltas(list(text)) == whole(text)
    borders = sorted({0, len(text), *(cut for cut in cuts if cut <= len(text))})
    assert in_deltas([text[a:b] for a, b in zip(borders, borders[1:], strict=False)]) == whole(text)


@given(TEXTS)
def test_a_text_begins_anew_after_the_end(text: str) -> None:
    """Nothing of an ended text, an open code block for instance, reaches into the next one."""
    normalizer = Normalizer()
    normalizer.feed(text)
    normalizer.end()
    assert normalizer.feed("Yes.").text + normalizer.end().text == "Yes."


@given(st.text(st.sampled_from("abc ,.é你1")))
def test_plain_text_stays(text: str) -> None:
    """Words and punctuation are read out as they are, but for runs of spaces."""
    assert whole(text).split() == text.split()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("**Bold**, *italic*, __both__, ~~gone~~ and `code`.", "Bold, italic, both, gone and code."),
        ("# Title\n\nText.", "Title\nText."),
        ("- one\n- two\n* three\n+ four\n• five", "one\ntwo\nthree\nfour\nfive"),
        ("- [x] done\n- [ ] open", "done\nopen"),
        ("> quoted\n> again", "quoted\nagain"),
        ("Above\n---\nBelow\n***\nEnd", "Above\nBelow\nEnd"),
        ("Run this:\n```python\nprint('x')\n```\nDone.", "Run this:\nDone."),
        ("~~~\na\n```\nb\n~~~\nc", "c"),
        ("```ls -l``` lists files", "ls -l lists files"),
        ("An open block:\n```\nx = 1", "An open block:\n"),
        ("See [the **docs**](https://example.com/a_(b)) now", "See the docs now"),
        ("![A cat](cat.png) sleeps", "A cat sleeps"),
        ("[text][1] and a note[^2]", "text and a note"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "a , b \n1 , 2 "),
        ("Go to https://www.example.com/x?y=1.", "Go to example.com."),
        ("(http://example.com) or <https://moss.dev/a>", "(example.com) or moss.dev"),
        ("www.example.com, who knows", "example.com, who knows"),
        ("a<br>b <b>c</b> &amp; d &#233;", "a\nb c & d é"),
        ("Nice 👍🏽 work 👨‍👩‍👧! 1️⃣ 🇩🇪 ❤️", "Nice work ! 1 "),
        ("\ufeffHel\u00adlo\u202e \x07there", "Hello there"),
        ("a  b\t c\r\n\n\nd", "a b c \nd"),
        (r"\*no mark\* and a \\ too", r"*no mark* and a \ too"),
    ],
)
def test_marks_are_not_read_out(text: str, wanted: str) -> None:
    """What only directs the eye is gone; what is to be said stays."""
    assert whole(text) == wanted == in_deltas(list(text))


@pytest.mark.parametrize(
    "text",
    [
        "Wait [pause 1.5s] here.",
        "Say /həˈloʊ/ slowly.",
        "2 * 3 is 6, and 2*3 too",
        "snake_case is a name",
        "a < b and c > d, a <b and c> d",
        "AT&T and R&D; Q & A",
        "about ~5 percent",
        "-5 degrees",
        "3.14, 1,000.5 and e.g. this",
        "an array[0] and [see above]",
        "http is a protocol, who knows",
        "می\u200cخواهم क्\u200dष",
        "ni3 hao3",
        "a | b",
    ],
)
def test_what_only_looks_like_a_mark_stays(text: str) -> None:
    """Pauses, phonemes, operators and names are read out."""
    assert whole(text) == text == in_deltas(list(text))


def test_plain_words_do_not_wait() -> None:
    """Text without marks is handed on at once."""
    normalizer = Normalizer()
    assert [normalizer.feed(delta).text for delta in ("Good", " morning", ". ")] == ["Good", " morning", ". "]


def test_a_flush_takes_what_waits_as_it_is() -> None:
    """After a flush the text goes on in the same block."""
    normalizer = Normalizer()
    assert normalizer.feed("See [the").text == "See "
    assert normalizer.flush().text == "[the"
    assert normalizer.feed("\n```\ncode ").text == "\n"
    assert normalizer.flush().text == "" and normalizer.feed("more\n```\nout").text == "out"


@pytest.mark.parametrize("mark", ["[", "<a ", "&a", "https://", "*", "- ", "`", "![", "[a]("])
def test_nothing_waits_for_ever(mark: str) -> None:
    """A mark that is never closed holds back a bounded piece of text."""
    normalizer = Normalizer()
    normalizer.feed("x " + mark)
    for _ in range(100):
        normalizer.feed("word" * 10)
        assert normalizer.num_held <= 520


@given(TEXTS)
def test_every_character_knows_where_it_comes_from(text: str) -> None:
    """The places in the written text never go back, whatever the deltas; plain words are where they were."""
    for deltas in ([text], list(text)):
        normalizer = Normalizer()
        made = [normalizer.feed(delta) for delta in deltas] + [normalizer.end()]
        ends = [end for part in made for end in part.ends]
        assert len(ends) == sum(len(part.text) for part in made)
        assert ends == sorted(ends) and all(0 <= end <= len(text) for end in ends)


@pytest.mark.parametrize(
    ("text", "last", "wanted"),
    [
        ("Say **yes** now", "yes", "Say **yes"),
        ("See [the page](https://a.b/c) now", "the", "See [the"),
        ("See [the page](https://a.b/c) now", "page", "See [the page](https://a.b/c)"),
        ("Go to https://www.a.b/c now", "a.", "Go to "),
        ("Go to https://www.a.b/c now", "a.b", "Go to https://www.a.b/c"),
        ("Q&amp;A 👍 ok", "ok", "Q&amp;A 👍 ok"),
        ("Code:\n```\nx\n```\nafter", "after", "Code:\n```\nx\n```\nafter"),
    ],
)
def test_spoken_words_lead_back_to_the_written_text(text: str, last: str, wanted: str) -> None:
    """After a word is spoken, the written text up to it is known, marks and addresses included."""
    made = Normalizer()
    parts = [made.feed(text), made.end()]
    spoken, ends = "".join(part.text for part in parts), [end for part in parts for end in part.ends]
    assert text[: ends[spoken.index(last) + len(last) - 1]] == wanted
