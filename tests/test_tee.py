from __future__ import annotations

from pathlib import Path

import pytest
from test_sinks import chunk, contents, expected, speech

from moss_stream import MemorySink, SinkError, TeeSink, WavSink, play


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


def test_sinks_of_different_rates_make_no_tee() -> None:
    """The error says what to give."""
    with pytest.raises(SinkError, match="one rate"):
        TeeSink(MemorySink(), Wide())
