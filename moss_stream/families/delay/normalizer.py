"""The text cleaning that MossTTSDelay was trained behind; it does not read out numbers or units.

It follows the reference implementation's processor string for string: `moss_tts_delay` of OpenMOSS/MOSS-TTS.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence

__all__ = ["normalized"]

Rule = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]

_UNSPACED = "[\u3400-\u4dbf\u4e00-\u9fff\u3040-\u30ff]"
"""Scripts that put no spaces between words: Chinese characters and Japanese kana."""
_HIDDEN = r"___PROT\d+___"
"""Stands for a name that no rule may touch; spelled as in the reference, where it counts as a Latin word."""
_PLACE = re.compile(r"___PROT(\d+)___")
MAX_DIGITS = 7
"""Of the number of a mark: no text has as many names."""
_RUN = "[A-Za-z0-9._/+:-]"
_WORDLIKE = rf"(?:{_HIDDEN}|(?=[A-Za-z0-9]{_RUN}*)(?={_RUN}*[A-Za-z]))"

_NAMES = [
    re.compile(pattern)
    for pattern in (
        r"https?://[^\s\u3000，。！？；、）】》〉」』]+",
        r"(?<![\w.+-])[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}(?![\w.-])",
        r"(?<![A-Za-z0-9_])@[A-Za-z0-9_]{1,32}",
        r"(?<![A-Za-z0-9_])[ur]/[A-Za-z0-9_]+",
        r"(?<![A-Za-z0-9_])#(?!\s)[^\s#]+",
        r"(?<![A-Za-z0-9_])\.(?=[A-Za-z0-9._-]*[A-Za-z0-9])[A-Za-z0-9._-]+",
        rf"(?<![A-Za-z0-9_])(?=[A-Za-z0-9])(?={_RUN}*[A-Za-z])(?={_RUN}*[._/+:-])"
        rf"[A-Za-z0-9](?:{_RUN}*[A-Za-z0-9])?(?![A-Za-z0-9_])",
    )
]
"""Addresses, mentions, topics, files and versions: kept as they are written."""


def _rules(*rules: tuple[str, str | Callable[[re.Match[str]], str]]) -> list[Rule]:
    return [(re.compile(pattern), replacement) for pattern, replacement in rules]


def _most(marks: re.Match[str]) -> str:
    """Return one mark of each kind in a run of question and exclamation marks."""
    return "".join(kind for kind, both in (("？", "?？"), ("！", "!！")) if set(marks[0]) & set(both))


def _apart(run: re.Match[str]) -> str:
    """Return a word with a space behind it; numbers stand close."""
    return run[0] + " " if re.search("[A-Za-z]", run[0]) else run[0]


_LINK = _rules((r"\[([^\[\]]+?)\]\((https?://[^)\s]+)\)", r"\1 \2"))
_LINE = _rules((r"^#{1,6}\s+", ""), (r"^>\s+", ""), (r"^[-*+]\s+", ""), (r"^\d+[.)]\s+", ""))
_SPACES = _rules(
    (r"[ \t\r\f\v]+", " "),
    (rf"({_UNSPACED})\s+(?={_UNSPACED})", r"\1"),
    (rf"({_UNSPACED})\s+(?=\d)", r"\1"),
    (rf"(\d)\s+(?={_UNSPACED})", r"\1"),
    (rf"({_UNSPACED})(?={_WORDLIKE})", r"\1 "),
    (rf"(?<!{_RUN}){_RUN}+(?={_UNSPACED})", _apart),
    (r" {2,}", " "),
    (r"\s+([，。！？；：、”’」』】）》])", r"\1"),
    (r"([（【「『《“‘])\s+", r"\1"),
    (r"([，。！？；：、])\s*", r"\1"),
    (r"\s+([,.;!?])", r"\1"),
    (r" {2,}", " "),
)
_HEADING = (r"(^|[。！？!?；;]\s*)[【〖『「]([^】〗』」]+)[】〗』」]\s*", r"\1\2。")
_STRUCTURE = _rules(
    _HEADING,
    _HEADING,  # one behind another: the first pass makes the border that the second one needs
    (rf"(^|[。！？!?；;]\s*)《([^》]+)》(?=\s*(?:{_HIDDEN}|[—–―-]{{2,}}|$|[。！？!?；;，,]))", r"\1\2"),
    (r"\s*(?:<[-=]+>|[-=]+>|<[-=]+|[→←↔⇒⇐⇔⟶⟵⟷⟹⟸⟺↦↤↪↩])\s*", "，"),
    (r"\s*(?:—|–|―|-){2,}\s*", "。"),
)
_REPEATED = _rules(
    (r"\.{3,}|…{2,}", "。"),
    (r"[。．]{2,}", "。"),
    (r"[，,]{2,}", "，"),
    (r"[!！]{2,}", "！"),
    (r"[?？]{2,}", "？"),
    (r"[!?！？]{2,}", _most),
)


def normalized(text: str) -> str:
    """Return a text as the model knows it: in one line, marks and spaces put right.

    Headings, lines and dashes end sentences, arrows become commas; what is in square or curly brackets
    stays. A text that was cleaned once is not changed again.
    """
    text = _in_one_line(_printable(text))
    names: list[str] = []

    def hide(found: re.Match[str]) -> str:
        names.append(found[0])
        return f"___PROT{len(names) - 1}___"

    for pattern in _NAMES:
        text = pattern.sub(hide, text)
    text = _applied(_SPACES, text).strip()
    text = _applied([*_STRUCTURE, *_REPEATED], text)
    text = _applied(_SPACES, text).strip()
    return _PLACE.sub(lambda found: _named(found, names), text).strip()


def _named(found: re.Match[str], names: Sequence[str]) -> str:
    """Return the name that a mark stands for; a text may hold such marks of its own."""
    number = int(found[1]) if len(found[1]) < MAX_DIGITS else len(names)
    return names[number] if number < len(names) else found[0]


def _printable(text: str) -> str:
    """Return a text without control characters, with ends of lines and spaces of one kind."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u3000", " ")
    return "".join(char for char in text if char in "\n\t " or unicodedata.category(char)[0] != "C")


def _in_one_line(text: str) -> str:
    """Return the lines as sentences, without the marks of headings, quotes and lists."""
    lines = [_applied(_LINE, line.strip()) for line in _applied(_LINK, text).splitlines() if line.strip()]
    return "。".join(lines)


def _applied(rules: Iterable[Rule], text: str) -> str:
    for pattern, replacement in rules:
        text = pattern.sub(replacement, text)
    return text
