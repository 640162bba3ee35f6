from __future__ import annotations

import pytest

from moss_stream.text.abbreviations import may_end_sentence


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ("He met Mr", "S", False),
        ("It was Mr", "", True),
        ("a dog", "T", True),
        ("a dog", "t", True),
        ("apples etc", "a", False),
        ("apples etc", "T", True),
        ("e.g", "a", False),
        ("5 p.m", "T", True),
        ("the U.S", "A", False),
        ("by J", "D", False),
        ("so did I", "W", True),
        ("on 3", "M", False),
        ("in 1999", "T", True),
        ("costs 3.50", "T", True),
        ("ул", "Л", False),
    ],
)
def test_what_stands_around_a_full_stop_decides(before: str, after: str, wanted: bool) -> None:
    """Titles, initials and ordinals go on; other abbreviations if a small letter follows."""
    assert may_end_sentence(before, after) is wanted
