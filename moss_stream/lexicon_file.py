"""Lexicons in files: lines such as "kubectl = cube control", or the W3C's Pronunciation Lexicon (PLS)."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from moss_stream.errors import ConfigError
from moss_stream.quote import quoted
from moss_stream.text.lexicon import Entry, Lexicon
from moss_stream.text_file import bounded_text

__all__ = ["load_lexicon"]

MAX_MB = 4
"""Of a file: ten thousand entries of the greatest length, in letters of two bytes, and comments."""
_PLS = "{http://www.w3.org/2005/01/pronunciation-lexicon}"


def load_lexicon(path: str | Path) -> Lexicon:
    """Read a lexicon.

    Args:
        path: Of a text file in UTF-8. A line has a word and its spelling, with " = " or a tab between them;
            empty lines, and those that begin with "#", are passed over. A file whose name ends with .pls or
            .xml is a Pronunciation Lexicon: of each `lexeme` its first `alias`, or `phoneme` in IPA, counts
            for all of its `grapheme`s.

    Raises:
        ConfigError: It cannot be read, or has no lexicon; the message names the line.
    """
    path = Path(path)
    text = bounded_text(path, "lexicon", MAX_MB, ConfigError, "Leave out what is not needed.")
    is_xml = path.suffix.lower() in (".pls", ".xml")
    entries = _of_xml(text, path.name) if is_xml else _of_lines(text, path.name)
    if not entries:
        raise ConfigError(f'{path}: there is no word in it. Give lines such as "kubectl = cube control".')
    return Lexicon(entries)


def _of_lines(text: str, name: str) -> list[Entry]:
    entries: list[Entry] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        where = f"{name}, line {number}"
        word, mark, spelling = line.partition("\t" if "\t" in line.strip() else " = ")
        if not mark:
            raise ConfigError(
                f'{where}: {quoted(line.strip())} is no entry. Write "word = spelling", or put a tab there.'
            )
        entries.append(Entry(word, spelling, where))
    return entries


def _of_xml(text: str, name: str) -> list[Entry]:
    # Entities are what makes XML dangerous, and only a document type declares them; no lexicon needs one.
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        line = text[: text.index("<!")].count("\n") + 1
        raise ConfigError(f"{name}, line {line}: a document type is not read. Take the declaration out.")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:  # a declaration of another encoding
        raise ConfigError(f"{name}: it is no XML ({error}). Mend it, or write lines.") from error
    if root.tag != f"{_PLS}lexicon":
        raise ConfigError(f"{name}: {quoted(root.tag)} is no Pronunciation Lexicon of the W3C (PLS).")
    alphabet = root.get("alphabet", "ipa")
    entries: list[Entry] = []
    for number, lexeme in enumerate(root.iter(f"{_PLS}lexeme"), start=1):
        where = f"{name}, lexeme {number}"
        spelling = _spelling(lexeme, alphabet, where)
        words = [grapheme.text or "" for grapheme in lexeme.iter(f"{_PLS}grapheme")]
        if not words:
            raise ConfigError(f"{where}: it has no grapheme. Say which word it is.")
        entries += [Entry(word, spelling, where) for word in words]
    return entries


def _spelling(lexeme: ElementTree.Element, alphabet: str, where: str) -> str:
    """Return the first pronunciation that can be read."""
    given = [each for each in lexeme if each.tag in (f"{_PLS}alias", f"{_PLS}phoneme")]
    for each in given:
        if each.tag == f"{_PLS}alias":
            return each.text or ""
        if each.get("alphabet", alphabet) == "ipa":
            return f"/{(each.text or '').strip()}/"
    raise ConfigError(f"{where}: it has no alias, and no phoneme in IPA (alphabet={alphabet}). Give one.")
