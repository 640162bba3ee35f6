from __future__ import annotations

import json
import re
from typing import Literal

import pytest

from moss_stream.subtitles import subtitles
from moss_stream.text.timeline import Word

TEXT = (
    "Good morning. This is a rather long sentence which goes on, and on, until nobody can read all of it at "
    "once any more. Short. Then something else begins!"
)


def spoken(text: str = TEXT, speaker: str = "", start_s: float = 0.0, each_s: float = 0.4) -> list[Word]:
    """Words that take 0.4 s each."""
    words = []
    for number, found in enumerate(re.finditer(r"\S+", text)):
        at_s = start_s + number * each_s
        words.append(Word(found[0], found.start(), found.end(), at_s, at_s + each_s, speaker))
    return words


def captions(words: list[Word], wanted: Literal["srt", "vtt"] = "srt") -> list[list[str]]:
    """The lines of each caption, without its number."""
    blocks = subtitles(words, wanted).strip().split("\n\n")
    return [block.split("\n")[1:] for block in blocks if "-->" in block]


def test_every_word_is_shown_once_in_readable_captions() -> None:
    """Two lines of 42 characters, seven seconds at most."""
    found = captions(spoken())
    assert " ".join(line for caption in found for line in caption[1:]) == TEXT
    assert all(len(caption) <= 3 and all(len(line) <= 42 for line in caption[1:]) for caption in found)
    ends = [re.findall(r"\d+", caption[0]) for caption in found]
    seconds = [[int(h) * 3600 + int(m) * 60 + int(s) for h, m, s in (t[:3], t[4:7])] for t in ends]
    assert all(end - start <= 7 for start, end in seconds)


def test_times() -> None:
    """Hours and milliseconds, with the mark of each format; faster speech is over sooner."""
    words = [Word("Hello.", 0, 6, 3661.25, 3662.5)]
    assert subtitles(words, "srt") == "1\n01:01:01,250 --> 01:01:02,500\nHello.\n"
    assert subtitles(words, "vtt") == "WEBVTT\n\n1\n01:01:01.250 --> 01:01:02.500\nHello.\n"
    assert "00:30:30,625 --> 00:30:31,250" in subtitles(words, "srt", speed=2.0)


def test_a_new_caption_begins() -> None:
    """With another speaker, after a pause, and after a sentence that has filled half a line."""
    one, two = spoken("Hello.", "S1"), spoken("Hi!", "S2", 0.4)
    assert captions([*one, *two])[0][1:] == ["S1: Hello."]
    assert captions([*one, *two], "vtt")[1][1:] == ["<v S2>Hi!"]
    assert len(captions([*spoken("One."), *spoken("Two.", start_s=1.5)])) == 2
    assert len(captions([*spoken("One."), *spoken("Two.", start_s=1.3)])) == 1
    assert len(captions(spoken("This is a whole sentence. And another one."))) == 2


@pytest.mark.parametrize("wanted", ["srt", "vtt", "json"])
def test_nothing_was_said(wanted: Literal["srt", "vtt", "json"]) -> None:
    """An empty file of its kind."""
    assert subtitles([], wanted).strip() in ("", "WEBVTT", "[]")


def test_json_has_every_word() -> None:
    """With its place in the text, and in time."""
    first = json.loads(subtitles(spoken(speaker="S1"), "json", speed=2.0))[1]
    assert first == {
        **{"text": "morning.", "char_start": 5, "char_end": 13, "start_s": 0.2, "end_s": 0.4},
        "speaker": "S1",
    }
