from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fakes import TONE_PEAK, StereoFake, is_silent, is_tone, synthesizer_on

from moss_stream import MemorySink, SinkError, TeeSink, WavSink, play
from moss_stream.audio import as_samples
from moss_stream.sinks.rates import RateConverter
from tests.sinks.test_sink import chunk, contents, expected, speech


async def test_a_tee_gives_to_all_and_the_first_one_counts(tmp_path: Path) -> None:
    """Every sink has all of the audio; what the first one has played was played."""
    heard, kept = MemorySink(), WavSink(tmp_path / "a.wav")
    tee = TeeSink(heard, kept)
    report = await play(speech(3), tee)
    await tee.aclose()
    assert bytes(heard.pcm) == expected(3) == contents(tmp_path / "a.wav")[3]
    assert report.played_s == tee.position_s == pytest.approx(0.24) and tee.sample_rate == 24_000


async def test_a_tee_with_a_sink_that_fails(tmp_path: Path) -> None:
    """The others get the chunk; the error comes through."""
    heard, kept = MemorySink(), WavSink(tmp_path / "a.wav")
    await kept.aclose()
    with pytest.raises(SinkError, match="closed already"):
        await TeeSink(heard, kept).write(chunk(0))
    assert bytes(heard.pcm) == expected(1)


class Wide(MemorySink):
    sample_rate = 48_000


async def test_each_sink_of_a_tee_gets_its_own_rate() -> None:
    """The one has every sample as it was, the other all of the speech at 48 kHz; the tee tells seconds."""
    heard, kept = Wide(), MemorySink()
    tee = TeeSink(heard, kept)
    report = await play(speech(3), tee)
    assert bytes(kept.pcm) == expected(3) and len(heard.pcm) == 2 * len(expected(3))
    assert report.played_s == tee.position_s == pytest.approx(0.24)
    assert TeeSink(Wide(), Wide()).sample_rate == 48_000


async def test_a_cleared_tee_leaves_nothing_of_what_was_before() -> None:
    """What the filter held of an interrupted speech is not heard in the next one."""
    heard = Wide()
    tee = TeeSink(heard, MemorySink())
    await tee.write(chunk(9999))
    await tee.clear()
    heard.pcm.clear()
    await tee.write(chunk(0))
    await tee.flush()
    assert len(heard.pcm) == 2 * len(expected(1))
    assert np.abs(np.frombuffer(heard.pcm, "<i2")).max() <= 1, "nothing but the resampler's dither"


def test_a_rate_that_no_sound_has() -> None:
    """The error says what is wrong before anything is played."""
    for rate in (0, -48_000, 10**9):
        with pytest.raises(SinkError, match=f"asks for {rate} Hz"):
            RateConverter(rate)


async def test_each_sink_of_a_tee_gets_its_own_channels() -> None:
    """One keeps stereo, the other one gets 24 kHz mono, as a telephone does."""
    kept, narrow = MemorySink(), MemorySink(sample_rate=24_000, channels=1)
    tee = TeeSink(kept, narrow)
    assert tee.sample_rate is None and tee.channels is None
    async with await synthesizer_on(StereoFake(frames_per_segment=5)) as synth:
        report = await play(synth.stream("Hello."), tee)
    both = as_samples(bytes(kept.pcm), 2)
    assert is_tone(both[:, 0], 48_000) and is_silent(both[:, 1]) and kept.sample_rate == 48_000
    assert is_tone(as_samples(bytes(narrow.pcm), 1), 24_000, TONE_PEAK / 2)
    assert report.played_s == pytest.approx(0.4) and narrow.position_s == pytest.approx(0.4, abs=0.001)
