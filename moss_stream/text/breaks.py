"""Where a text may be cut, and how well: after a sentence, after a clause, between two words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from moss_stream.text.abbreviations import may_end_sentence

__all__ = ["SPACELESS", "Break", "Strength", "breaks", "is_speakable", "last_gap", "may_stop_at_end"]


class Strength(IntEnum):
    """How natural a pause is."""

    WORD = 1
    CLAUSE = 2
    SENTENCE = 3


@dataclass(frozen=True, slots=True)
class Break:
    """A place where a text may be cut: before the character `at`."""

    at: int
    strength: Strength


_CLOSING = "\"'”’»›)\\]」』）】》〉"
# White space follows a mark of these scripts; the others write on without one. Thai and its neighbours
# end clauses with a space alone.
_SCRIPTS = re.compile(
    rf"""
    (?P<marker>\[[^\[\]\n]{{0,80}}\]|(?<![^\s(。！？、，；：])/(?=[^\s/])[^/\n]{{1,80}}/(?![^\W_]))
  | (?P<open>\[|(?<![^\s(。！？、，；：])/(?=[^\s/]|$))
  | (?P<line>\n)
  | (?P<sentence>[.!?…؟;](?:(?<!;)|(?<=[\u0370-\u03ff];))[.!?…]*[{_CLOSING}]*(?=\s|$))
  | (?P<full>[。！？｡۔।॥።၏။։៕]+[{_CLOSING}]*)
  | (?P<clause>[,;:،؛፣፤·][{_CLOSING}]*(?=\s|$)|[—–](?=\s|$))
  | (?P<half>[，、；：၊][{_CLOSING}]*)
  | (?P<space>(?<=[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff])\s+(?=[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]))
  | (?P<word>\s+)
    """,
    re.VERBOSE,
)
_MAX_MARKER = 82
"""Characters of the longest `[marker]`, brackets included: see the pattern."""
_MAX_BEFORE = 40
"""Characters before a full stop that tell whether it ends a sentence."""
_PINYIN = re.compile(
    r"(?<![^\W_])(?:[zcs]h|[bpmfdtnlgkhjqxrzcsyw])?[aeiouüv]{1,3}(?:ng?|r)?[1-5]$", re.IGNORECASE
)
_NEXT_WORD = re.compile(r"\s*([^\W_]*)(.?)", re.DOTALL)
_PAUSE_BEGUN = re.compile(r"\[(?:p|pa|pau|paus|pause|pause [\d.]{0,7} ?s?)?$")
SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Letters of Thai, Lao, Burmese, Khmer, Chinese and Japanese, which are written without spaces: for a regular
expression's brackets."""
_SPACELESS_END = re.compile(rf"[{SPACELESS}]([{SPACELESS}])\s*$")
_STOP_AT_END = re.compile(rf"[.!?…,;:。！？，、；：،؛؟।۔—][{_CLOSING}]*\s*$")


def breaks(text: str, is_end: bool, is_urgent: bool = False) -> Iterator[Break]:
    """Yield the places where `text` may be cut, in order.

    Not within `[markers]`, `/IPA/`, numbers written with spaces, pinyin with tone numbers, or after
    abbreviations that need the word that follows. Stops where only more text can tell.

    Args:
        text: Begins where a segment begins.
        is_end: No more text comes.
        is_urgent: A bracket or a slash that is open holds nothing up, unless a `[pause 1s]` begins with it.
    """
    for found in _SCRIPTS.finditer(text):
        kind = str(found.lastgroup)
        if kind == "marker":
            continue
        if kind == "open":
            if is_urgent and not _PAUSE_BEGUN.match(text, found.start()):
                continue
            if not is_end and len(text) - found.start() < _MAX_MARKER and "\n" not in text[found.start() :]:
                return
            continue
        if kind != "line" and not is_end and found.end() == len(text) and kind != "word":
            return  # a quote may close, or a digit follow
        strength = _strength(kind, text, found, is_end)
        if strength is None:
            return
        if strength:
            yield Break(found.start() if kind in ("word", "space") else found.end(), Strength(strength))


def _strength(kind: str, text: str, found: re.Match[str], is_end: bool) -> int | None:
    """Return how strong a break is, 0 for none, None if more text is needed to know."""
    if kind in ("line", "full"):
        return Strength.SENTENCE
    if kind in ("clause", "half", "space"):
        return Strength.CLAUSE
    if kind == "sentence":
        return _after_stop(text, found, is_end)
    return _between_words(text, found, is_end)


def _after_stop(text: str, found: re.Match[str], is_end: bool) -> int | None:
    if not found[0].startswith(".") or found[0].startswith(".."):
        return Strength.SENTENCE
    verdict = _may_end(text, found.start(), found.end(), is_end)
    return verdict if verdict is None else Strength.SENTENCE * verdict


def _may_end(text: str, stop: int, end: int, is_end: bool) -> bool | None:
    """Tell whether the full stop at `stop` may end a sentence; None if more text is needed to know."""
    before = text[max(0, stop - _MAX_BEFORE) : stop]
    verdicts = {may_end_sentence(before, after) for after in ("a", "A")}
    if len(verdicts) == 1:
        return verdicts.pop()
    following = _NEXT_WORD.match(text, end)
    after = (following[1] or following[2])[:1] if following else ""
    return None if not after and not is_end else may_end_sentence(before, after)


def _between_words(text: str, found: re.Match[str], is_end: bool) -> int | None:
    at = found.start()
    before = text[at - 1 : at]
    if before == ".":
        verdict = _may_end(text, at - 1, at, is_end)
        return verdict if verdict is None else Strength.WORD * verdict
    if not before.isdigit():
        return Strength.WORD if before else 0
    following = _NEXT_WORD.match(text, at)
    word, after = (following[1], following[2]) if following else ("", "")
    is_pinyin = bool(_PINYIN.search(text[max(0, at - 8) : at]))
    if not after and not is_end and (is_pinyin or not word):
        return None
    joins = bool(_PINYIN.search(word)) if is_pinyin else word[:1].isdigit()
    return 0 if joins else Strength.WORD


def last_gap(text: str) -> int:
    """Return the last place between two characters of a script without spaces at the end of a text, or 0."""
    found = _SPACELESS_END.search(text)
    return found.start(1) if found else 0


def may_stop_at_end(text: str) -> bool:
    """Tell whether a text that stopped growing can be spoken as it is: no word or number may go on."""
    found = _STOP_AT_END.search(text)
    if found is None:
        return False
    before = text[max(0, found.start() - _MAX_BEFORE) : found.start()]
    if before[-1:].isdigit() and not found[0].endswith((" ", "\n")):
        return False  # 3.14, 1,000, 10:30
    return found[0][0] != "." or may_end_sentence(before, "A")


def is_speakable(text: str) -> bool:
    """Tell whether there is a letter or a digit to say."""
    return any(character.isalnum() for character in text)
