from __future__ import annotations

import numpy as np
import pytest
from fakes import TONE_PEAK, StereoFake, is_silent, is_tone

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


def stereo(frames: int = 5) -> list[AudioChunk]:
    """What a stereo engine makes, and the end."""
    engine, rate = StereoFake(), 48_000
    pcm = [engine._samples(number + 1).tobytes() for number in range(frames)]
    made = [AudioChunk(each, rate, i, i * 0.08, 0.08, channels=2) for i, each in enumerate(pcm)]
    return [*made, AudioChunk(b"", rate, frames, frames * 0.08, 0.0, is_final=True, channels=2)]


@pytest.mark.parametrize("rate", [24_000, 48_000, None])
@pytest.mark.parametrize("channels", [1, 2, None])
def test_stereo_becomes_what_is_wanted(rate: int | None, channels: int | None) -> None:
    """Left stays left; mixed, the tone is half as loud. The length stays, and the last chunk fits too."""
    converter = RateConverter(rate, channels)
    made = [out for given in stereo() for out in converter.convert(given)]
    wanted_rate, wanted_channels = rate or 48_000, channels or 2
    assert {(each.sample_rate, each.channels) for each in made} == {(wanted_rate, wanted_channels)}
    assert sum(each.duration_s for each in made) == pytest.approx(0.4, abs=1 / 24_000)
    samples = np.concatenate([each.samples for each in made])
    if wanted_channels == 1:
        assert is_tone(samples, wanted_rate, TONE_PEAK / 2)
    else:
        assert is_tone(samples[:, 0], wanted_rate) and is_silent(samples[:, 1])


def test_mono_goes_to_both_sides() -> None:
    """At another rate, too."""
    for rate in (24_000, 48_000):
        made = [out for given in (chunk(900), END) for out in RateConverter(rate, 2).convert(given)]
        samples = np.concatenate([each.samples for each in made])
        assert samples.shape[1] == 2 and samples[:, 0].max() > 800
        assert np.abs(samples[:, 0].astype(int) - samples[:, 1]).max() <= 2, "but for the dither"
