from __future__ import annotations

from pathlib import Path

import pytest

from moss_stream import ConfigError, Lexicon, load_lexicon

PLS = """<?xml version="1.0" encoding="UTF-8"?>
<lexicon version="1.0" xmlns="http://www.w3.org/2005/01/pronunciation-lexicon" alphabet="ipa" xml:lang="en">
  <lexeme><grapheme>tomato</grapheme><grapheme>tomatoes</grapheme><phoneme>təˈmɑːtəʊ</phoneme></lexeme>
  <lexeme><grapheme>W3C</grapheme><alias>World Wide Web Consortium</alias></lexeme>
  <lexeme><grapheme>pi</grapheme><phoneme alphabet="x-sampa">paI</phoneme><alias>pie</alias></lexeme>
</lexicon>
"""


def load(folder: Path, text: str | bytes, name: str = "words.txt") -> Lexicon:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_lexicon(path)


def entries(lexicon: Lexicon) -> dict[str, str]:
    return {entry.word: entry.spelling for entry in lexicon}


def test_lines(tmp_path: Path) -> None:
    """With an equals sign or a tab; comments and empty lines are passed over."""
    text = (
        "\ufeff# names\r\nkubectl = cube control\r\n\n  New York =  nu   york \nC#\tsee sharp\na=b = a is b\n"
    )
    expected = {"kubectl": "cube control", "New York": "nu york", "C#": "see sharp", "a=b": "a is b"}
    assert entries(load(tmp_path, text)) == expected


def test_a_pronunciation_lexicon_of_the_w3c(tmp_path: Path) -> None:
    """IPA and aliases, for each of a lexeme's words."""
    ipa = "/təˈmɑːtəʊ/"
    expected = {"tomato": ipa, "tomatoes": ipa, "W3C": "World Wide Web Consortium", "pi": "pie"}
    assert entries(load(tmp_path, PLS, "words.pls")) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = b\nno entry\n", r"words.txt, line 2: 'no entry' is no entry. Write \"word = spelling\""),
        ("# x\n\na = b\na = c\n", r"words.txt, line 4: 'a' has an entry already \(words.txt, line 3\)"),
        ("a =  \n", r"line 1"),
        (f"{'a' * 61} = b\n", r"line 1: the word .* has 61 characters; it may have 60"),
        ("# nothing\n", r"there is no word in it"),
        (b"a = b\n\xff = c\n", r"line 2: it is not in UTF-8"),
        (b" " * ((4 << 20) + 1), r"at most 4 MB"),
    ],
)
def test_what_is_no_entry_is_named_by_its_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    """In a sentence."""
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, text)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<lexicon", "<!DOCTYPE lexicon []>\n<lexicon", "line 2: a document type is not read"),
        ("</lexicon>", "", "it is no XML"),
        ("2005/01", "2005/02", "is no Pronunciation Lexicon"),
        ("<alias>pie</alias>", "", "lexeme 3: it has no alias, and no phoneme in IPA"),
        ("<grapheme>W3C</grapheme>", "", "lexeme 2: it has no grapheme"),
        ("W3C", "", "lexeme 2: '' = .* has nothing to say"),
        ("W3C", "pi", "lexeme 3: 'pi' has an entry already"),
    ],
)
def test_what_is_no_pronunciation_lexicon(tmp_path: Path, old: str, new: str, message: str) -> None:
    """Entities, which make XML dangerous, among it."""
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, PLS.replace(old, new, 1), "words.xml")


@pytest.mark.parametrize("path", ["none.txt", ".", "a\0b"])
def test_a_file_that_cannot_be_read(path: str) -> None:
    """In a sentence."""
    with pytest.raises(ConfigError, match="cannot be read"):
        load_lexicon(path)
