"""What MOSS-TTSD's makers do with a dialogue before the model reads it, in training and since.

Source: `normalize_text` of the reference implementation's TTSD application.
"""

from __future__ import annotations

import re
from itertools import groupby

__all__ = ["dialogue_normalized"]

_BARE_TAG = re.compile(r"\[(\d+)\]")
_LINE = re.compile(r"(\[S\d+\])?\s*(.*?)\s*(?=\[S\d+\]|$)", re.DOTALL)
_DROPPED = dict.fromkeys(map(ord, '【】《》（）『』「」"-_“”～~‘’'))
_LAUGHTER = ((re.compile("哈{2,}"), "[笑]"), (re.compile(r"\bha(?:\s*ha)+\b", re.IGNORECASE), "[laugh]"))
_BREAK = re.compile("——|……|\\.\\.\\.|[⸺―—…]")
_WEAK = str.maketrans({"；": "，", ";": ",", "：": "，", ":": ",", "、": "，"})
_REPEATED = re.compile(r"([，。？！,.?!])[，。？！,.?!]+")
_FULL_STOPS = {"，": "。", ",": "."}


def dialogue_normalized(text: str) -> str:
    """Return a dialogue as the model was trained to read it.

    Quotes, brackets and dashes go, laughter becomes a mark, weak marks become commas, and what one speaker
    says is one sentence as far as the full stops of Chinese go: only the last of them stays.

    Args:
        text: With a tag such as [S1] before each line; [1] is understood, too.
    """
    marked = _BARE_TAG.sub(r"[S\1]", text).replace("\n", " ")
    lines = [(tag, _line(said)) for tag, said in _lines(marked)]
    parts = []
    for _, group in groupby(enumerate(lines), key=lambda each: each[1][0] or f"untagged {each[0]}"):
        same = [line for _, line in group]
        parts.append((same[0][0] + "".join(said for _, said in same)).strip())
    return "".join(parts)


def _lines(text: str) -> list[tuple[str, str]]:
    """Return the tag and the words of each line that has either."""
    found = [(match[1] or "", match[2]) for match in _LINE.finditer(text)]
    return [line for line in found if line != ("", "")]


def _line(said: str) -> str:
    said = said.translate(_DROPPED)
    for laughter, mark in _LAUGHTER:
        said = laughter.sub(mark, said)
    said = _BREAK.sub("，", said).translate(_WEAK).strip()
    said = _REPEATED.sub(r"\1", said)
    if len(said) < 2:
        return said
    return said[:-1].replace("。", "，") + _FULL_STOPS.get(said[-1], said[-1])
