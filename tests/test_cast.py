from __future__ import annotations

import numpy as np

from moss_stream.cast import Cast
from moss_stream.voices import Voice


def voice(number: int, gain: float = 1.0) -> Voice:
    return Voice(np.full((2, 4), number), str(number), gain=gain)


def test_what_a_prompt_shows() -> None:
    """One recording for each speaker up to the last that has one; nobody's place is taken by another."""
    assert Cast.alone(None).reference is None and Cast({}).reference is None
    one = Cast.alone(voice(7)).reference
    assert one is not None and len(one) == 1 and one[0] is not None and one[0][0, 0] == 7
    some = Cast({"S3": voice(3), "S1": voice(1), "S2": None, "S4": None}).reference
    assert some is not None and [None if codes is None else codes[0, 0] for codes in some] == [1, None, 3]


def test_each_speaker_is_as_loud_as_their_voice_says() -> None:
    """Whoever has none is not changed."""
    cast = Cast({"S1": voice(1, gain=2.0), "S2": None})
    assert [cast.gain(speaker) for speaker in ("S1", "S2", "S5")] == [2.0, 1.0, 1.0]
