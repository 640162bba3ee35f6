from __future__ import annotations

import pytest

from moss_stream.errors import ConfigError
from moss_stream.text.lexicon import Lexicon

LEXICON = Lexicon(
    {
        "kubectl": "cube control",
        "US": "you ess",
        "York": "yorrk",
        "New York": "nu york",
        "new york city": "the city",
        "café": "ka fay",
        "C++": "see plus plus",
        "重庆": "虫庆",
    }
)


def found(text: str, before: str = "", is_final: bool = True) -> tuple[str, str] | None:
    """What is found where the text begins: the word and its spelling."""
    result = LEXICON.find(text, 0, before, is_final)
    return None if result is None or result.entry is None else (text[: result.end], result.entry.spelling)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kubectl get", ("kubectl", "cube control")),
        ("KubeCtl's", ("KubeCtl", "cube control")),
        ("kubectls", None),
        ("kubectl_x", None),
        ("US, too", ("US", "you ess")),
        ("us, too", None),
        ("New York State", ("New York", "nu york")),
        ("New\nYork", ("New\nYork", "nu york")),
        ("new york", None),
        ("NEW YORK CITY.", ("NEW YORK CITY", "the city")),
        ("New York cit", ("New York", "nu york")),
        ("Cafe\u0301 au lait", ("Cafe\u0301", "ka fay")),
        ("C++17", ("C++", "see plus plus")),
        ("重庆很好", ("重庆", "虫庆")),
        ("kubectl重", ("kubectl", "cube control")),
    ],
)
def test_whole_words_are_found_the_longest_first(text: str, expected: tuple[str, str] | None) -> None:
    """Small letters match any; a capital only itself; scripts without spaces have no borders."""
    assert found(text) == expected


@pytest.mark.parametrize(
    ("before", "is_found"), [("", True), ("-", True), ("_", False), ("e", False), ("重", True)]
)
def test_a_word_begins_where_no_other_does(before: str, is_found: bool) -> None:
    """What stands before it counts, too."""
    assert (found("kubectl", before) is not None) == is_found


@pytest.mark.parametrize(
    ("text", "waits"),
    [("kub", True), ("kubectl", True), ("kuba", False), ("New ", True), ("New Z", False), ("重", True)]
    + [("重庆", True), ("重庆很", False), ("C++", True), ("C++ ", False), ("x", False)],
)
def test_only_what_may_become_a_word_waits(text: str, waits: bool) -> None:
    """A whole word waits for one character more: an accent may belong to any."""
    assert (LEXICON.find(text, 0, "", False) is None) == waits


@pytest.mark.parametrize(
    ("spelling", "is_phonetic"),
    [("/təˈmɑːtəʊ/", True), ("my /həˈləʊ/", True), ("chong2 qing4", True), ("Lü4", True)]
    + [("cube control", False), ("and/or", False), ("win 2", False), ("重", False)],
)
def test_ipa_and_pinyin_are_told_from_spellings(spelling: str, is_phonetic: bool) -> None:
    """By slashes at both ends, and by the number of a tone behind every syllable."""
    phonetic = Lexicon({"word": spelling}).phonetic
    assert (phonetic is not None) == is_phonetic


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"": "x"}, "nothing to say"),
        ({"x": " ,"}, "nothing to say"),
        ({"x" * 61: "y"}, "61 characters; it may have 60"),
        ({"x": "y" * 201}, "201 characters; it may have 200"),
        ({"x": 3}, "is a int"),
        ({"x y": "a", "x  y": "b"}, "has an entry already"),
        ({str(number): "x" for number in range(10_001)}, "10,001 entries"),
    ],
)
def test_what_is_no_lexicon(entries: dict[str, str], message: str) -> None:
    """In a sentence."""
    with pytest.raises(ConfigError, match=message):
        Lexicon(entries)


def test_it_says_how_large_it_is() -> None:
    """A word with an accent counts once."""
    assert len(LEXICON) == 8 and repr(LEXICON) == "<Lexicon of 8 entries>"
