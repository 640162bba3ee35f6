"""Subtitles from the times of words: SubRip, WebVTT and JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Literal

from moss_stream.text.timeline import Word

__all__ = ["SubtitleFormat", "subtitles"]

SubtitleFormat = Literal["srt", "vtt", "json"]
LINE = 42
"""Characters of a line, as broadcasters have it; two lines are shown at once."""
MOST_S = 7.0
"""What stays longer is read twice."""
PAUSE_S = 1.0
"""After a longer pause something new begins."""
FULL = 0.5
"""A caption that is so full ends with its sentence."""


def subtitles(words: Sequence[Word], wanted: SubtitleFormat, speed: float = 1.0) -> str:
    """Return words as a subtitle file.

    Args:
        words: Of a stream (`SynthesisStream.words`), in order.
        wanted: "srt", "vtt", or "json", which has every word and its place in the text.
        speed: At which the audio is played: its times become shorter.
    """
    if wanted == "json":
        timed = [{**asdict(word), **_times(word, speed)} for word in words]
        return json.dumps(timed, ensure_ascii=False, indent=1) + "\n"
    mark = "." if wanted == "vtt" else ","
    parts = ["WEBVTT\n"] if wanted == "vtt" else []
    for number, caption in enumerate(_captions(words), start=1):
        start, end = (_clock(s / speed, mark) for s in (caption[0].start_s, caption[-1].end_s))
        text = "\n".join(textwrap.wrap(" ".join(word.text for word in caption), LINE))
        speaker = caption[0].speaker
        if speaker:
            text = f"<v {speaker}>{text}" if wanted == "vtt" else f"{speaker}: {text}"
        parts.append(f"{number}\n{start} --> {end}\n{text}\n")
    return "\n".join(parts)


def _captions(words: Sequence[Word]) -> Iterator[list[Word]]:
    """Cut words into what is shown at once."""
    caption: list[Word] = []
    for word in words:
        if caption and not _fits(caption, word):
            yield caption
            caption = []
        caption.append(word)
    if caption:
        yield caption


def _fits(caption: Sequence[Word], word: Word) -> bool:
    last, shown = caption[-1], " ".join(each.text for each in caption)
    is_sentence = last.text.rstrip("\"'”’)»").endswith((".", "!", "?", "…", "。", "！", "？"))
    return (
        word.speaker == last.speaker
        and len(textwrap.wrap(f"{shown} {word.text}", LINE)) <= 2
        and word.end_s - caption[0].start_s <= MOST_S
        and word.start_s - last.end_s < PAUSE_S
        and not (is_sentence and len(shown) > FULL * LINE)
    )


def _times(word: Word, speed: float) -> dict[str, float]:
    return {"start_s": round(word.start_s / speed, 3), "end_s": round(word.end_s / speed, 3)}


def _clock(seconds: float, mark: str) -> str:
    whole = round(seconds * 1000)
    minutes, ms = divmod(whole, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{ms // 1000:02}{mark}{ms % 1000:03}"
