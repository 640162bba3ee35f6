from __future__ import annotations

import pytest

from moss_stream.text.duration import elapsed_s, estimate_s


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("The quick brown fox jumps over the lazy dog.", 3.1),
        ("你好，今天天气很好。", 2.2),
        ("1234", 1.0),
        ("é" * 14, 1.0),
        ("e\u0301" * 14, 1.0),
        ("", 0.0),
    ],
)
def test_texts_of_every_script_have_a_length(text: str, seconds: float) -> None:
    """An ideograph takes as long as three letters, a combining mark no time."""
    assert estimate_s(text) == pytest.approx(seconds, abs=0.15)


def test_elapsed_time_grows_with_each_character() -> None:
    """There is a time for the begin of every character and for the end."""
    times = elapsed_s("ab1")
    assert times[0] == 0 and len(times) == 4 and times == sorted(times)
    assert times[-1] == estimate_s("ab1")
