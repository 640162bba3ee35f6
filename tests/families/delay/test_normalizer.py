from __future__ import annotations

import json

import pytest
from golden_data import GOLDEN

from moss_stream.families.delay.normalizer import normalized

PAIRS = json.loads((GOLDEN / "text" / "normalised.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("text", "wanted"), PAIRS["delay_build_user_message"])
def test_golden(text: str, wanted: str) -> None:
    """String for string what the reference's processor makes of it."""
    assert normalized(text) == wanted


@pytest.mark.parametrize(("text", "wanted"), PAIRS["delay_build_user_message"])
def test_a_second_time_changes_nothing(text: str, wanted: str) -> None:
    """What was cleaned is clean."""
    assert normalized(wanted) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("「一」「二」", "一。二。"),
        ("A => B<==>C ⟸ D", "A，B，C，D"),
        ("one\x00two\u200dthree", "onetwothree"),
        ("- [a b](https://x.org)\n> quoted", "a b https://x.org。quoted"),
        ("?!?! !!!", "？！"),
        ("去r/a看@b吧#c", "去 r/a 看 @b 吧 #c"),
    ],
)
def test_rules(text: str, wanted: str) -> None:
    """Headings one behind another, arrows, control characters, lists, marks, names."""
    assert normalized(text) == wanted


@pytest.mark.parametrize("piece", ["%", "a.", "9", " ", "\t.", "@a", "-", "《", "中 ", "[a", "___PROT0___"])
def test_a_long_text_takes_no_longer_than_its_length(piece: str) -> None:
    """No rule runs away: what would take minutes would not end here."""
    assert len(normalized(piece * (4000 // len(piece)))) <= 8000
