from __future__ import annotations

import pytest

from moss_stream.quote import brief, quoted


@pytest.mark.parametrize(
    "value",
    ["x" * 10**6, 10**5000, -(10**5000), {"k" * 999: ["v" * 999] * 9}, [[[[1] * 99] * 99]], b"x" * 10**5],
    ids=range(6),
)
def test_a_quote_is_short(value: object) -> None:
    """Whatever is quoted."""
    assert len(quoted(value)) <= 80


def test_short_values_are_quoted_as_they_are() -> None:
    """In Python's spelling."""
    for value in ("nobody", 7, 2**63, -1.5, None, True, float("nan"), ["a", 1]):
        assert quoted(value) == repr(value)


def test_both_ends_of_a_long_text_stay() -> None:
    """They say more than its beginning alone."""
    assert brief("a" * 50 + "b" * 50, 10) == "aaaaaa…bbb"
