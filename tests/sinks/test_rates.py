from __future__ import annotations

import numpy as np
import pytest

from moss_stream import AudioChunk, SinkError
from moss_stream.sinks.rates import RateConverter
from tests.sinks.test_sink import chunk, expected

END = AudioChunk(b"", 24_000, 9, 0.72, 0.0, is_final=True)


def test_the_right_rate_passes_unchanged() -> None:
    """Nothing is computed, held back or copied."""
    converter, given = RateConverter(24_000), chunk(3)
    assert converter.convert(given)[0] is given and converter.convert(END) == [END] and converter.rest() == []


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_an_utterance_keeps_its_length(rate: int) -> None:
    """The final chunk brings what the filter held, before itself; the next utterance begins anew."""
    converter = RateConverter(rate)
    for _ in range(2):
        made = [out for given in (chunk(1), chunk(2), END) for out in converter.convert(given)]
        assert made[-1].is_final and not made[-1].pcm and converter.rest() == []
        assert all(each.sample_rate == rate for each in made)
        assert sum(each.duration_s for each in made) == pytest.approx(0.16, abs=1 / rate)
        assert sum(len(each.samples) for each in made) == pytest.approx(0.16 * rate, abs=1)


def test_what_was_interrupted_is_forgotten() -> None:
    """A loud chunk before a reset leaves no trace in the silence after it."""
    converter = RateConverter(48_000)
    converter.convert(chunk(9999))
    converter.reset()
    made = [*converter.convert(chunk(0)), *converter.rest()]
    pcm = b"".join(each.pcm for each in made)
    assert len(pcm) == 2 * len(expected(1))
    assert np.abs(np.frombuffer(pcm, "<i2")).max() <= 1, "nothing but the resampler's dither"


def test_a_rate_that_no_sound_has() -> None:
    """The error says what is wrong before anything is played."""
    for rate in (0, -48_000, 10**9):
        with pytest.raises(SinkError, match=f"asks for {rate} Hz"):
            RateConverter(rate)
