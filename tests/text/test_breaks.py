from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moss_stream.text.breaks import Strength, breaks, is_speakable, may_stop_at_end

WHOLE = [
    "3.14", "1,000.5", "10:30", "1 000 000", "Dr. Smith", "e.g. this", "p.m. or", "Mr. J. Doe",
    "[pause 1.5 s]", "/ˈwɜːd, ˈbɪ/", "ni3 hao3 ma5", "zhong1 guo2", "example.com/a?b=c", "z.B. das",
    "我喜欢音乐", "そうですね", "No. 7", "3. Mai",
]  # fmt: skip
BETWEEN = [" ", ". A ", ", b ", "! ", "\n", " — ", "。", "、", "? Yes, "]


def cuts(text: str, strength: Strength) -> list[str]:
    """The text cut at every break of at least this strength."""
    places = [each.at for each in breaks(text, is_end=True) if each.strength >= strength]
    borders = [0, *places, len(text)]
    return [text[a:b] for a, b in zip(borders, borders[1:], strict=False) if a < b]


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
        ("1. Stir. 2. Wait.", ["1. Stir.", " 2. Wait."]),
        ("Am 3. Mai z.B. um 8. Ja, 1999. Gut.", ["Am 3. Mai z.B. um 8. Ja, 1999.", " Gut."]),
        ("The U.S. Army came. So did I. Good.", ["The U.S. Army came.", " So did I.", " Good."]),
        ("你好。你是谁？我很好！", ["你好。", "你是谁？", "我很好！"]),
        ("他说：「走吧。」然后走了。", ["他说：「走吧。」", "然后走了。"]),
        ("नमस्ते। कैसे हो?", ["नमस्ते।", " कैसे हो?"]),
        ("مرحبا؟ نعم. حسنا", ["مرحبا؟", " نعم.", " حسنا"]),
        ("Τι κάνεις; Καλά.", ["Τι κάνεις;", " Καλά."]),
        ("One; two.", ["One; two."]),
        ("", []),
    ],
)
def test_sentence_ends(text: str, wanted: list[str]) -> None:
    """Speech pauses after sentences of any script, and not within numbers or addresses."""
    assert cuts(text, Strength.SENTENCE) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Well, if so; then: go — now", ["Well,", " if so;", " then:", " go —", " now"]),
        ("At 10:30, 1,000 of them", ["At 10:30,", " 1,000 of them"]),
        ("我想，你说：好、不好", ["我想，", "你说：", "好、", "不好"]),
        ("نعم، ثم؛ لا", ["نعم،", " ثم؛", " لا"]),
        ("สวัสดีครับ ผมชื่อสมชาย", ["สวัสดีครับ", " ผมชื่อสมชาย"]),
    ],
)
def test_clause_ends(text: str, wanted: list[str]) -> None:
    """Clauses end at commas of every script, at dashes, and in Thai at spaces."""
    assert cuts(text, Strength.CLAUSE) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("two words", ["two", " words"]),
        ("costs 10 000 euros", ["costs", " 10 000", " euros"]),
        ("Dr. Who went", ["Dr. Who", " went"]),
        ("ni3 hao3 my friend", ["ni3 hao3", " my", " friend"]),
        ("a [pause 1 s] b", ["a", " [pause 1 s]", " b"]),
        ("say /həˈloʊ wɜːd/ now", ["say", " /həˈloʊ wɜːd/", " now"]),
        ("either / or it is", ["either", " /", " or", " it", " is"]),
    ],
)
def test_word_borders(text: str, wanted: list[str]) -> None:
    """Words are cut at spaces, but not inside a number, a name's title, pinyin, a marker or IPA."""
    assert cuts(text, Strength.WORD) == wanted


@given(st.lists(st.tuples(st.sampled_from(WHOLE), st.sampled_from(BETWEEN)), min_size=1, max_size=6))
def test_nothing_is_cut_that_belongs_together(parts: list[tuple[str, str]]) -> None:
    """Whatever stands around it, a number, an abbreviation, a marker or a word is never cut inside."""
    text, start = "", 0
    for whole, between in parts:
        start = len(text)
        text += whole
        inside = range(start + 1, len(text))
        text += between
        for end in range(len(text) + 1):
            places = {each.at for each in breaks(text[:end], is_end=False)}
            assert places.isdisjoint(inside), (text[:end], whole)


@given(st.text(st.sampled_from("ab1 .!?…\"')[/]\n,é。，3"), max_size=60))
def test_more_text_takes_no_break_back(text: str) -> None:
    """What may be cut while text is still to come may be cut when it is there."""
    whole = {(each.at, each.strength) for each in breaks(text, is_end=True)}
    for end in range(len(text)):
        assert {(each.at, each.strength) for each in breaks(text[:end], is_end=False)} <= whole


@pytest.mark.parametrize(
    ("text", "may"),
    [
        ("Hello there.", True), ("And then,", True), ("It costs 3.", False), ("At 3. ", False),
        ("wor", False),         ("Dr.", False), ("你好。", True), ("He said “yes.”", True), ("", False),
    ],
)  # fmt: skip
def test_where_a_pausing_text_may_be_spoken(text: str, may: bool) -> None:
    """A text that stops in the middle of a word or number is not spoken to its end."""
    assert may_stop_at_end(text) is may


@pytest.mark.parametrize(
    ("text", "speakable"), [("a", True), ("7", True), ("声", True), (" .!?—", False), ("", False)]
)
def test_speakable(text: str, speakable: bool) -> None:
    """There is something to say if there is a letter or digit of any script."""
    assert is_speakable(text) is speakable
