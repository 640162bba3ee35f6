"""How words are to be pronounced: what is read out in their place."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from moss_stream.errors import ConfigError
from moss_stream.quote import quoted
from moss_stream.text.breaks import SPACELESS

__all__ = ["Entry", "Found", "Lexicon", "are_joined"]

MAX_ENTRIES = 10_000
"""More than the names and terms of any field, and some megabytes of memory."""
MAX_WORD, MAX_SPELLING = 60, 200
"""Characters: a text is held back for as long as a word is at most, and the longest names have fewer."""
_IPA = re.compile(r"/[^/\n]*[^\s/][^/\n]*/")
_PINYIN = re.compile(r"(?:[zcs]h|[bpmfdtnlgkhjqxrzcsyw])?[aeiouüv]{1,3}(?:ng?|r)?[1-5]")
_SPACELESS = re.compile(f"[{SPACELESS}]")


@dataclass(frozen=True, slots=True)
class Entry:
    """A word, or several, and what is read out instead."""

    word: str
    spelling: str
    """Another spelling, IPA between slashes, or pinyin with tone numbers."""
    where: str = "The lexicon"
    """Where it was given, for errors."""

    @property
    def is_phonetic(self) -> bool:
        """Whether only a model that was trained with IPA or pinyin can read it."""
        parts = _IPA.sub(" ", self.spelling).split()
        has_ipa = _IPA.search(self.spelling) is not None
        return has_ipa or all(map(_PINYIN.fullmatch, (part.lower() for part in parts)))


@dataclass(frozen=True, slots=True)
class Found:
    """What stands at a place of a text."""

    end: int
    """Where the word ends."""
    entry: Entry | None = None
    """None: no word of the lexicon."""


class Lexicon:
    """Words, and how they are to be pronounced.

    A word in small letters is found however it is written, one with a capital letter as it is given. Of two
    words that begin at one place the longer one is found; of the same word, the one with the capitals.

    Args:
        entries: A spelling for each word: "cube control" for "kubectl", "/təˈmɑːtəʊ/", "chong2 qing4"; or
            entries that say where they come from.

    Raises:
        ConfigError: There are too many; one is too long or empty, or its word has another one already.
    """

    def __init__(self, entries: Mapping[str, str] | list[Entry]) -> None:
        if isinstance(entries, Mapping):
            entries = [Entry(word, spelling) for word, spelling in entries.items()]
        if len(entries) > MAX_ENTRIES:
            raise ConfigError(
                f"The lexicon has {len(entries):,} entries; it may have {MAX_ENTRIES:,}. Leave out what the "
                "text does not need."
            )
        self._exact: dict[str, Entry] = {}
        self._any: dict[str, Entry] = {}
        for entry in map(_checked, entries):
            if first := self._exact.get(entry.word) or self._any.get(entry.word):
                raise ConfigError(
                    f"{entry.where}: {quoted(entry.word)} has an entry already ({first.where})."
                )
            for form in ("NFC", "NFD"):  # an accent may be written as a character of its own
                word = unicodedata.normalize(form, entry.word)
                (self._any if word == _small(word) else self._exact)[word] = entry
        self._keys = sorted({_small(word) for word in (*self._exact, *self._any)})
        self._firsts = {key[0] for key in self._keys}

    def __len__(self) -> int:
        return len({id(entry) for entry in self})

    def __iter__(self) -> Iterator[Entry]:
        yield from self._exact.values()
        yield from self._any.values()

    def __repr__(self) -> str:
        return f"<Lexicon of {len(self)} entries>"

    @property
    def phonetic(self) -> Entry | None:
        """The first entry that only a model trained with IPA or pinyin can read."""
        return next((entry for entry in self if entry.is_phonetic), None)

    def find(self, text: str, at: int, before: str, is_final: bool) -> Found | None:
        """Tell which word begins at a place.

        Args:
            text: In which white space is single.
            at: The place.
            before: The character before it; empty at the beginning.
            is_final: The text ends here, as far as anybody knows.

        Returns:
            The longest one; None if only more text can tell.
        """
        if _small(text[at]) not in self._firsts or are_joined(before, text[at]):
            return Found(at)
        found, part, low = Found(at), "", 0
        for end in range(at + 1, len(text) + 1):
            part += _small(text[end - 1])
            low = bisect_left(self._keys, part, low)
            if low == len(self._keys) or not self._keys[low].startswith(part):
                return found
            entry = self._entry(text[at:end], part)
            if entry and not are_joined(part[-1], text[end : end + 1]):
                found = Found(end, entry)
        return found if is_final else None  # an accent may follow, also where no letter can

    def _entry(self, text: str, small: str) -> Entry | None:
        return self._exact.get(text.replace("\n", " ")) or self._any.get(small)


def are_joined(before: str, after: str) -> bool:
    """Tell whether two characters belong to one word; an empty one belongs to none.

    Scripts without spaces have no borders of words, so none are asked for there.
    """
    if not before or not after:
        return False
    if unicodedata.category(after).startswith("M"):
        return True
    is_spaceless = _SPACELESS.match(before) or _SPACELESS.match(after)
    return _is_letter(before) and _is_letter(after) and not is_spaceless


def _is_letter(character: str) -> bool:
    return character.isalnum() or character == "_" or unicodedata.category(character).startswith("M")


def _small(text: str) -> str:
    """Return a text in small letters and with spaces only, of the same length."""
    return "".join(" " if each.isspace() else low if len(low := each.lower()) == 1 else each for each in text)


def _checked(entry: Entry) -> Entry:
    """Return an entry whose white space is single."""
    for name, most in (("word", MAX_WORD), ("spelling", MAX_SPELLING)):
        text = getattr(entry, name)
        if not isinstance(text, str):
            raise ConfigError(f"{entry.where}: the {name} is a {type(text).__name__}. Give a str.")
        if len(text) > most:
            raise ConfigError(
                f"{entry.where}: the {name} {quoted(text)} has {len(text):,} characters; it may have {most}."
            )
    word, spelling = (" ".join(text.split()) for text in (entry.word, entry.spelling))
    if not word or not any(each.isalnum() for each in spelling):
        raise ConfigError(
            f"{entry.where}: {quoted(word)} = {quoted(spelling)} has nothing to say. Give a word, and its "
            "spelling in letters."
        )
    return Entry(word, spelling, entry.where)
