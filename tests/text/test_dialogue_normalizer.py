from __future__ import annotations

import json
from typing import Any

import pytest
from golden_data import GOLDEN

from moss_stream.text.dialogue_normalizer import dialogue_normalized
from moss_stream.text.speakers import TagReader, joined

PAIRS = json.loads((GOLDEN / "text" / "normalised.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("text", "wanted"), PAIRS["ttsd_text_normalize"])
def test_golden(text: str, wanted: str) -> None:
    """String for string what the makers' own application makes of it."""
    assert dialogue_normalized(text) == wanted


def lines(text: str, speaker: str = "") -> list[tuple[str, str]]:
    made = TagReader()
    return [(part.speaker or speaker, part.text) for part in [*made.feed(text), *made.end()] if part.text]


@pytest.mark.parametrize(("given", "wanted"), PAIRS["ttsd_prefixed_text"])
def test_golden_text_behind_lines_that_were_spoken(given: dict[str, Any], wanted: str) -> None:
    """Lines that were spoken stand before those that are to be, each speaker's own first words once."""
    spoken = [line for number, text in given["prompts"].items() for line in lines(text, f"S{number}")]
    assert joined([*spoken, *lines(given["text"])]) == wanted


def test_full_stops_within_a_line_become_commas() -> None:
    """Those of Chinese; the last one stays."""
    assert dialogue_normalized("[S1]一。二。三。[S2]A. B.") == "[S1]一，二，三。[S2]A. B."
