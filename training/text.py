"""Sentences to train and evaluate on, from WordNet, the fortune files and the jargon file."""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Iterator
from pathlib import Path

from num2words import num2words

__all__ = ["held_out", "number_texts", "sentences", "short_texts"]

MIN_CHARS, MAX_CHARS = 15, 150
_SPEAKABLE = re.compile(r"[A-Za-z0-9 ,.;:!?'\"()\-]+")
_NUMBER_SENTENCES = (
    "{}.",
    "Number {}.",
    "There are {} of them.",
    "It is {} miles from here.",
    "The answer is {}, I think.",
    "Please wait {} minutes.",
)
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


def short_texts(root: Path, seed: int, count: int) -> list[str]:
    """Return utterances of one or two words, from WordNet's entries, with and without punctuation."""
    words = []
    for line in _lines(root / "usr/share/wordnet/index.noun"):
        word = line.partition(" ")[0].replace("_", " ")
        if re.fullmatch(r"[a-z]{2,12}( [a-z]{2,12})?", word):
            words.append(word)
    choose = random.Random(seed)
    return [word.capitalize() + choose.choice([".", "!", "?", ""]) for word in choose.sample(words, count)]


def number_texts(seed: int, count: int) -> list[str]:
    """Return sentences with a number, written in figures or in words."""
    choose = random.Random(seed)
    texts = []
    for _ in range(count):
        number = choose.choice([choose.randrange(10), choose.randrange(100), choose.randrange(10_000)])
        written = str(number) if choose.random() < 0.5 else num2words(number).replace(",", "")
        texts.append(choose.choice(_NUMBER_SENTENCES).format(written))
    return texts


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
