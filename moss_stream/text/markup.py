"""What single marks of markdown and HTML mean when they are read out.

Each rule looks at one place of a text and tells where it ends and what is spoken, or None: more text is
needed to know. How far a rule may look is bounded, so nothing waits for ever.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["LineStart", "Rule", "Scan", "inline_rule", "strip_line_start"]

MAX_LINE_START, MAX_BRACKET, MAX_TAG, MAX_ADDRESS = 200, 500, 300, 2000
_LINE_MARKS = re.compile(r"[ \t>#*+\-•=_~`|:]*")
_BLOCK_MARKS = re.compile(r"(?:[ \t]+|>|#{1,6}(?=[ \t])|[-*+•](?=[ \t]))*")
_BRACKET = re.compile(r"\[([^\[\]\n]*)\]")
_BRACKET_STOP = re.compile(r"[\[\]\n]")
_ANGLE_STOP = re.compile(r"[<>\n]")
_TAG_START = re.compile(r"[A-Za-z/]")
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
_TARGET = re.compile(r"\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\)")
_TAG = re.compile(
    r"</?(?:a|b|blockquote|br|code|del|div|em|h[1-6]|hr|i|img|ins|kbd|li|mark|ol|p|pre|q|s|small|span|strong"
    r"|sub|sup|table|tbody|td|th|thead|tr|u|ul)(?:\s[^<>\n]*=[^<>\n]*)?\s*/?>",
    re.IGNORECASE,
)
_LINE_TAG = re.compile(r"</?(?:blockquote|br|div|h[1-6]|hr|li|ol|p|pre|table|td|th|tr|ul)\b", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_ENTITY_BEGUN = re.compile(r"&#?[A-Za-z0-9]{0,31}$")
_ADDRESS = re.compile(r"[^\s<>\"`|\\^{}]+")
_ADDRESS_STARTS = ("https://", "http://", "www.")
_EMOJI = re.compile(
    "[\U0001f000-\U0001faff\u2600-\u2775\u2794-\u27bf\u231a\u231b\u2328\u23cf\u23e9-\u23fa\u25aa\u25ab\u25b6"
    "\u25c0\u25fb-\u25fe\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55\u2934\u2935\u3030\u303d\u3297\u3299\u20e3\ufe0e"
    "\ufe0f\U000e0020-\U000e007f]"
)
_JOINERS = "\u200c\u200d"
"""Invisible, but they belong to the spelling of Persian and of the scripts of India."""


@dataclass(frozen=True, slots=True)
class Scan:
    """One place of a text."""

    text: str
    at: int
    is_final: bool
    """No more text comes."""
    before: str
    """The last character that was spoken."""
    is_row: bool
    """The line is a row of a table."""

    def waits(self, end: int, most: int) -> bool:
        """Tell whether something that reaches to `end` could go on in text that is not there yet."""
        return not self.is_final and end >= len(self.text) and end - self.at < most

    def after(self, end: int) -> str:
        """Return the character at `end`; empty at the end of the text."""
        return self.text[end : end + 1]


@dataclass(frozen=True, slots=True)
class Rule:
    """What was read: up to `end`, of which `spoken` is read out and `again` read once more."""

    end: int
    spoken: str = ""
    again: str = ""


@dataclass(frozen=True, slots=True)
class LineStart:
    """Where a line's own text begins, and what kind of line it is."""

    end: int
    fence: str = ""
    is_row: bool = False


def strip_line_start(text: str, at: int, is_final: bool) -> LineStart | None:
    """Pass over the marks of headings, lists, quotes, rules, tables and code blocks."""
    marks = _LINE_MARKS.match(text, at, at + MAX_LINE_START)
    end = marks.end() if marks else at
    if end == len(text) and not is_final and end - at < MAX_LINE_START:
        return None
    block = _BLOCK_MARKS.match(text, at, end)
    start = block.end() if block else at
    if text[start : start + 3] in ("```", "~~~"):
        line_end = text.find("\n", end)
        rest = text[end : line_end if line_end >= 0 else end + MAX_LINE_START]
        if "`" not in rest:
            if line_end < 0 and not is_final and len(rest) < MAX_LINE_START:
                return None
            return LineStart(end, fence=text[start : start + 3])
    if text[end : end + 1] in ("", "\n"):  # a rule, the line under a heading or a table's head
        return LineStart(end)
    is_row = text[start] == "|"
    return LineStart(start + is_row, is_row=is_row)


def inline_rule(scan: Scan) -> Rule | None:
    """Read the next thing within a line."""
    character = scan.text[scan.at]
    if character in "hHwW":
        return _address(scan)
    if rule := _RULES.get(character):
        return rule(scan)
    return Rule(scan.at + 1, "" if _is_silent(character, scan.before) else character)


def _is_silent(character: str, before: str) -> bool:
    if character in _JOINERS:
        return not (before.isalpha() or unicodedata.category(before or " ").startswith("M"))
    if _EMOJI.match(character):
        return True
    return unicodedata.category(character) in ("Cc", "Cf", "Cs") and not character.isspace()


def _run_end(scan: Scan) -> int:
    end = scan.at
    while end < len(scan.text) and scan.text[end] == scan.text[scan.at]:
        end += 1
    return end


def _star(scan: Scan) -> Rule | None:
    end = _run_end(scan)
    if scan.waits(end, MAX_TAG):
        return None
    after = scan.after(end)
    is_operator = end - scan.at == 1 and (
        (scan.before.isdigit() and after.isdigit()) or (scan.before == " " and after in (" ", ""))
    )
    return Rule(end, "*" if is_operator else "")


def _underscore(scan: Scan) -> Rule | None:
    end = _run_end(scan)
    if scan.waits(end, MAX_TAG):
        return None
    is_name = end - scan.at == 1 and scan.before.isalnum() and scan.after(end).isalnum()
    return Rule(end, "_" if is_name else "")


def _tilde(scan: Scan) -> Rule | None:
    end = _run_end(scan)
    if scan.waits(end, MAX_TAG):
        return None
    return Rule(end, "~" if end - scan.at == 1 else "")


def _backslash(scan: Scan) -> Rule | None:
    end = scan.at + 1
    if scan.waits(end, 2):
        return None
    is_escape = bool(_PUNCTUATION.match(scan.after(end)))
    return Rule(end + 1, scan.after(end)) if is_escape else Rule(end, "\\")


def _pipe(scan: Scan) -> Rule | None:
    end = scan.at + 1
    if not scan.is_row:
        return Rule(end, "|")
    while scan.after(end) in (" ", "\t"):
        end += 1
    if scan.waits(end, MAX_TAG):
        return None
    return Rule(end, "" if scan.after(end) in ("", "\n") or scan.before == "\n" else ", ")


def _exclamation(scan: Scan) -> Rule | None:
    if scan.waits(scan.at + 1, 2):
        return None
    return Rule(scan.at + 1, "" if scan.after(scan.at + 1) == "[" else "!")


def _bracket(scan: Scan) -> Rule | None:
    found = _BRACKET.match(scan.text, scan.at, scan.at + MAX_BRACKET)
    if not found:
        stop = _BRACKET_STOP.search(scan.text, scan.at + 1)
        return None if not stop and scan.waits(len(scan.text), MAX_BRACKET) else Rule(scan.at + 1, "[")
    end, text = found.end(), found[1]
    if scan.waits(end, MAX_BRACKET + 1):
        return None
    if text.startswith("^") or text in (" ", "x", "X"):  # a footnote, a box of a list
        return Rule(end)
    pattern = {"(": _TARGET, "[": _BRACKET}.get(scan.after(end))
    if pattern is None:
        return Rule(end, found[0])
    if target := pattern.match(scan.text, end, end + MAX_ADDRESS):
        return Rule(target.end(), again=text) if text else Rule(target.end())
    is_broken = (
        "\n" in scan.text[end : end + MAX_ADDRESS] or len(scan.text) - end >= MAX_ADDRESS or scan.is_final
    )
    return Rule(end, found[0]) if is_broken else None


def _angle(scan: Scan) -> Rule | None:
    end = scan.at + 1
    if scan.waits(end, 2):
        return None
    if not _TAG_START.match(scan.after(end)):
        return Rule(end, "<")
    close = _ANGLE_STOP.search(scan.text, end, scan.at + MAX_TAG)
    if close is None:
        return None if scan.waits(len(scan.text), MAX_TAG) else Rule(end, "<")
    inside = scan.text[end : close.start()]
    if close[0] != ">":
        return Rule(end, "<")
    if _TAG.fullmatch(f"<{inside}>"):
        return Rule(close.end(), "\n" if _LINE_TAG.match(f"<{inside}") else "")
    if inside.lower().startswith(_ADDRESS_STARTS) and " " not in inside:
        return Rule(close.end(), _host(inside))
    return Rule(end, "<")


def _ampersand(scan: Scan) -> Rule | None:
    if found := _ENTITY.match(scan.text, scan.at):
        return Rule(found.end(), html.unescape(found[0]))
    if not scan.is_final and _ENTITY_BEGUN.match(scan.text, scan.at):
        return None
    return Rule(scan.at + 1, "&")


def _address(scan: Scan) -> Rule | None:
    plain = Rule(scan.at + 1, scan.text[scan.at])
    if scan.before.isalnum():
        return plain
    start = scan.text[scan.at : scan.at + 8].lower()
    if not start.startswith(_ADDRESS_STARTS):
        could_be = any(known.startswith(start) for known in _ADDRESS_STARTS)
        return None if could_be and scan.waits(scan.at + len(start), 8) else plain
    found = _ADDRESS.match(scan.text, scan.at, scan.at + MAX_ADDRESS)
    assert found is not None
    if scan.waits(found.end(), MAX_ADDRESS):
        return None
    address = found[0].rstrip(".,;:!?)]}'*_~”’»。，！？、；：）」』】")
    return Rule(scan.at + len(address), _host(address)) if address else plain


def _host(address: str) -> str:
    """Return what people would say of an address."""
    bare = re.sub(r"^(?:https?://)?(?:[^/?#@]*@)?(?:www\.)?", "", address, flags=re.IGNORECASE)
    return re.split(r"[/?#]", bare)[0] or address


_RULES: dict[str, Callable[[Scan], Rule | None]] = {
    "*": _star,
    "_": _underscore,
    "~": _tilde,
    "`": lambda scan: Rule(_run_end(scan)),
    "\\": _backslash,
    "|": _pipe,
    "!": _exclamation,
    "[": _bracket,
    "<": _angle,
    "&": _ampersand,
}
