"""Sentences to train and evaluate on, from WordNet, the fortune files and the jargon file."""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ["held_out", "sentences"]

MIN_CHARS, MAX_CHARS = 15, 150
_SPEAKABLE = re.compile(r"[A-Za-z0-9 ,.;:!?'\"()\-]+")
_QUOTED = re.compile(r'"([^"]+)"')
_ENDS = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"])")


def sentences(root: Path, seed: int) -> list[str]:
    """Return all usable sentences of the unpacked packages in `root`, shuffled by `seed`.

    A sentence is of 15 to 150 characters, of letters, digits and plain punctuation, begins with a
    capital and ends with a full stop, question or exclamation mark.
    """
    found = {sentence for raw in _raw(root / "usr/share") if (sentence := _clean(raw)) is not None}
    ordered = sorted(found)
    random.Random(seed).shuffle(ordered)
    return ordered


def held_out(all_sentences: list[str], count: int) -> tuple[list[str], list[str]]:
    """Split off `count` sentences for evaluation: (training, evaluation)."""
    return all_sentences[count:], all_sentences[:count]


def _raw(share: Path) -> Iterator[str]:
    for path in sorted((share / "wordnet").glob("data.*")):
        for line in _lines(path):
            gloss = line.partition("| ")[2]
            yield from _QUOTED.findall(gloss)
            yield _QUOTED.sub("", gloss).partition(";")[0]
    for path in sorted((share / "games/fortunes").iterdir()):
        if path.suffix == "" and path.is_file():
            yield from _prose("\n".join(_lines(path)).split("\n%\n"))
    jargon = gzip.decompress((share / "doc/jargon-text/jargon.txt.gz").read_bytes())
    yield from _prose(jargon.decode("utf-8", errors="replace").split("\n\n"))


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def _prose(paragraphs: list[str]) -> Iterator[str]:
    for paragraph in paragraphs:
        yield from _ENDS.split(" ".join(paragraph.split()))


def _clean(raw: str) -> str | None:
    text = " ".join(raw.replace("`", "'").split()).strip(" -;,:\"'()")
    if not text or not text[0].isalnum() or not _SPEAKABLE.fullmatch(text):
        return None
    if sum(c.isalpha() or c == " " for c in text) < 0.85 * len(text) or text.isupper():
        return None
    text = text[0].upper() + text[1:]
    if text[-1] not in ".!?":
        text += "."
    return text if MIN_CHARS <= len(text) <= MAX_CHARS else None
