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

__all__ = ["LineStart", "Rule", "Scan", "begins_hidden", "inline_rule", "strip_line_start"]

MAX_LINE_START, MAX_BRACKET, MAX_TAG, MAX_ADDRESS = 200, 200, 300, 300
"""Characters that are held back at most until a mark is complete."""
SPACE = " "
"""Ends what is passed over where any white space does, which stays."""
_LINE_MARKS = re.compile(r"[ \t>#*+\-•=_~`|:]*")
_BLOCK_MARKS = re.compile(r"(?:[ \t]+|>|#{1,6}(?=[ \t])|[-*+•](?=[ \t]))*")
_BRACKET = re.compile(r"\[([^\[\]\n]*)\]")
_BRACKET_STOP = re.compile(r"[\[\]\n]")
_ANGLE_STOP = re.compile(r"[<>\n]")
_TAG_START = re.compile(r"[A-Za-z/]")
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
_TARGET = re.compile(r"\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\)")
_NO_TARGET = re.compile(r"\(\s*[^\s()<>]+\s+[^\s\"'(]")
"""An address has no spaces; a title in quotes may follow it."""
_TAG = re.compile(
    r"</?(?:a|b|blockquote|br|code|del|div|em|h[1-6]|hr|i|img|ins|kbd|li|mark|ol|p|pre|q|s|small|span|strong"
    r"|sub|sup|table|tbody|td|th|thead|tr|u|ul)(?:\s[^<>\n]*=[^<>\n]*)?\s*/?>",
    re.IGNORECASE,
)
_NAME = re.compile(r"(/?)([a-z][\w-]*)")
_WHOLE_TAG = re.compile(
    r"<(?:(?P<slash>/)\s*)?(?P<name>[A-Za-z][\w-]*)(?P<rest>(?(slash)|(?:[\s/][^<>\n]*)?))\s*>"
)
_OPEN_TAG = re.compile(r"<(?P<slash>)(?P<name>[A-Za-z][\w-]*)(?P<rest>(?:\s[^<>]*)?)")
_UNCLOSED = re.compile(r"<(?:/\s*[A-Za-z][\w-]*|[A-Za-z][\w-]*(?:[\s/][^<>\n]*)?)\s*")
"""White space may stand before the end of a tag, a line break too."""
_NO_TAG = re.compile(r"/\s*[\w-]*\s+[^\s>]|[A-Za-z][\w-]*\s+(?:[^\w\s/>]|[\w:.-]+\s+[^\s=/>])")
"""After a tag's name comes an attribute with its value, in "a <b and c" not."""
_LINE_TAG = re.compile(r"</?(?:blockquote|br|div|h[1-6]|hr|li|ol|p|pre|table|td|th|tr|ul)\b", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_ENTITY_BEGUN = re.compile(r"&#?[A-Za-z0-9]{0,31}$")
_ADDRESS = re.compile(r"[^\s<>\"`|\\^{}]+")
_ADDRESS_STARTS = ("https://", "http://", "www.")
_HAS_HOST = re.compile(
    r"(?:https?://(?:www\.)?|www\.)(?:[^/?#]+\.\w\w|localhost|[^/?#]+[/?#:]|.{64})", re.IGNORECASE
)
MAX_MATH = 300
"""Characters between the marks of a formula; longer than any that is written within a sentence."""
_MATH_ENDS = {"(": re.compile(r"\\\)"), "[": re.compile(r"\\\]"), "$": re.compile(r"\$\$")}
_INLINE_END = re.compile(r"(?<![\s$])\$(?![\d$])")
_AMOUNT = re.compile(r"\d[\d.,]*")
_GOES_ON = re.compile(r"[\\^_{+=*$]|(?![kKmMbBtT])[A-Za-z](?![A-Za-z])")
_OPENS = re.compile(r"[A-Za-z\\({+\-|]")
_SIMPLE = re.compile(r"(?:[^\W_]|[\s.,+\-=<>/()])*")
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
    hidden: tuple[str, ...] = ()
    """Names of tags whose content is not read out, in lower case."""
    is_code: bool = False
    """It is within backticks, where a tag is talked about."""
    goes_on: bool = False
    """More text comes, but it is read as if none did: somebody waits."""

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
    skip: str = ""
    """What follows is passed over up to this, which is too; of a tag it is `</name`."""
    is_tick: bool = False
    """Inline code begins or ends."""


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
    if scan.after(end) in ("(", "["):
        return formula(scan, _MATH_ENDS[scan.after(end)], Rule(end + 1, scan.after(end)))
    is_escape = bool(_PUNCTUATION.match(scan.after(end)))
    return Rule(end + 1, scan.after(end)) if is_escape else Rule(end, "\\")


def _dollar(scan: Scan) -> Rule | None:
    end = scan.at + 1
    plain = Rule(end, "$")
    if scan.waits(end, 2):
        return None
    if scan.after(end) == "$":
        return formula(scan, _MATH_ENDS["$"], Rule(end + 1, "$$"))
    if amount := _AMOUNT.match(scan.text, end):
        if scan.waits(amount.end(), 32):
            return None
        if not _GOES_ON.match(scan.text, amount.end()):
            return plain  # money
    elif not _OPENS.match(scan.text, end):
        return plain
    return formula(scan, _INLINE_END, plain)


def formula(scan: Scan, closing: re.Pattern[str], plain: Rule) -> Rule | None:
    """Read a formula: what is as simple as "x + 1" is read out, anything else is not.

    Args:
        scan: Where it begins.
        closing: What ends it.
        plain: What is read if nothing does.
    """
    limit = scan.at + MAX_MATH
    found = closing.search(scan.text, plain.end, limit)
    if found is None or (found.end() == len(scan.text) and not scan.is_final):
        inside = scan.text[plain.end : limit]
        if closing is _INLINE_END and "\n" in inside and found is None:
            return plain
        if scan.waits(len(scan.text), MAX_MATH):
            return None
    if found is None:
        is_math = closing is not _INLINE_END and re.search(r"\\[A-Za-z]|\^", scan.text[plain.end : limit])
        return Rule(min(limit, len(scan.text)), skip=_skip_of(closing)) if is_math else plain
    inside = scan.text[plain.end : found.start()]
    if closing is _INLINE_END and "\n" in inside:
        return plain
    return Rule(found.end(), inside if _SIMPLE.fullmatch(inside) else "")


def _skip_of(closing: re.Pattern[str]) -> str:
    return closing.pattern.replace("\\\\", "\0").replace("\\", "").replace("\0", "\\")


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
    if _NO_TARGET.match(scan.text, end):
        return Rule(end, found[0])
    if target := pattern.match(scan.text, end, end + MAX_ADDRESS):
        return Rule(target.end(), again=text) if text else Rule(target.end())
    if len(scan.text) - end >= MAX_ADDRESS and "\n" not in scan.text[end : end + MAX_ADDRESS]:
        return Rule(end + MAX_ADDRESS, re.sub(r"[*_~`]", "", text), skip=")")
    is_broken = (
        "\n" in scan.text[end : end + MAX_ADDRESS] or len(scan.text) - end >= MAX_ADDRESS or scan.is_final
    )
    return Rule(end, found[0]) if is_broken else None


def _angle(scan: Scan) -> Rule | None:
    end = scan.at + 1
    if scan.is_code:
        return Rule(end, "<")
    start = scan.text[scan.at : scan.at + 4]
    if start == "<!--":
        return Rule(scan.at + 4, skip="-->")
    if scan.waits(end, 2) or ("<!--".startswith(start) and scan.waits(scan.at + len(start), 4)):
        return None
    if not _TAG_START.match(scan.after(end)) or _NO_TAG.match(scan.text, end, scan.at + MAX_TAG):
        return Rule(end, "<")
    if hidden := _hidden_tag(scan):
        return hidden
    close = _ANGLE_STOP.search(scan.text, end, scan.at + MAX_TAG)
    may_grow = close is None or _UNCLOSED.fullmatch(scan.text, scan.at, scan.at + MAX_TAG)
    if may_grow and scan.waits(len(scan.text), MAX_TAG):
        return None
    if close is None or close[0] != ">":
        return Rule(end, "<")
    inside = scan.text[end : close.start()]
    if _TAG.fullmatch(f"<{inside}>"):
        return Rule(close.end(), "\n" if _LINE_TAG.match(f"<{inside}") else "")
    if inside.lower().startswith(_ADDRESS_STARTS) and " " not in inside:
        return Rule(close.end(), _host(inside))
    return Rule(end, "<")


def _hidden_tag(scan: Scan) -> Rule | None:
    """Read a tag whose content is not read out; one that closes nothing is dropped alone.

    They do not nest: thoughts that mention their own tag must not swallow the answer.
    """
    most = scan.at + MAX_TAG
    found = _WHOLE_TAG.match(scan.text, scan.at, most)
    if found is None and (scan.is_final or len(scan.text) >= most):
        found = _OPEN_TAG.fullmatch(scan.text, scan.at, most)
    if found is None or (name := found["name"].lower()) not in scan.hidden:
        return None
    is_alone = bool(found["slash"]) or found["rest"].endswith("/")
    return Rule(found.end(), " ", skip="" if is_alone else f"</{name}")


def begins_hidden(text: str, hidden: tuple[str, ...]) -> bool:
    """Tell whether a text may well be the beginning of a tag whose content is not read out.

    Three letters make it likely enough not to read it out in a pause.
    """
    found = _NAME.match(text[1:].lower()) if text[:1] == "<" else None
    if found is None or len(found[2]) < 3:
        return False
    is_name_over = found.end() + 1 < len(text)
    return any(name == found[2] if is_name_over else name.startswith(found[2]) for name in hidden)


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
        is_begun = scan.goes_on and ":" in start  # nobody wants to hear half of that
        return None if could_be and (is_begun or scan.waits(scan.at + len(start), 8)) else plain
    found = _ADDRESS.match(scan.text, scan.at, scan.at + MAX_ADDRESS)
    assert found is not None
    if scan.waits(found.end(), MAX_ADDRESS):
        return None
    is_open = scan.goes_on and found.end() == len(scan.text)
    if is_open and not _HAS_HOST.match(found[0]):
        return None
    if is_open or found.end() - scan.at >= MAX_ADDRESS:  # somebody waits, or it is endless: drop the rest
        return Rule(found.end(), _host(found[0]) + " ", skip=SPACE)
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
    "`": lambda scan: Rule(_run_end(scan), is_tick=True),
    "\\": _backslash,
    "|": _pipe,
    "!": _exclamation,
    "[": _bracket,
    "<": _angle,
    "&": _ampersand,
    "$": _dollar,
}
