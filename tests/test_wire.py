from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moss_stream import AudioChunk, ConfigError, SinkError
from moss_stream.wire import HEADER_BYTES, FarEnd, is_news, pack, unpack

U32 = st.integers(0, 2**32 - 1)


@given(U32, U32, U32, U32, st.integers(0, 10**6), st.binary(max_size=50))
def test_a_chunk_survives_the_wire(
    stream: int, generation: int, start: int, end: int, start_ms: int, data: bytes
) -> None:
    """Everything the header holds comes back, and the PCM unchanged."""
    pcm = data * 2
    chunk = AudioChunk(pcm, 24_000, 7, start_ms / 1000, 0.08, False, start, end)
    message = pack(chunk, stream, generation)
    made = unpack(message)
    assert (made.stream, made.generation, made.start_ms) == (stream, generation, start_ms)
    assert (made.char_start, made.char_end, made.pcm) == (start, end, pcm)
    assert len(message) == HEADER_BYTES + len(pcm) == 20 + len(pcm)


@pytest.mark.parametrize("message", [b"", b"x" * 19, b"x" * 21])
def test_what_is_no_audio_is_an_error(message: bytes) -> None:
    """A message that is too short, or holds half a sample, is named."""
    with pytest.raises(SinkError, match="not audio"):
        unpack(message)


def test_a_far_end_plays_in_real_time_until_it_says_otherwise() -> None:
    """What it reports counts from then on; it cannot have played what was not sent."""
    now_s = 10.0
    far_end = FarEnd(lambda: now_s)
    assert far_end.position_s == 0.0
    far_end.sent(0.08)
    far_end.sent(0.08)
    now_s = 10.1
    assert far_end.position_s == pytest.approx(0.1)
    far_end.dropped()
    assert far_end.sent_s == far_end.position_s == pytest.approx(0.1)
    far_end.sent(0.08)
    for seconds, wanted in ((0.12, 0.12), (0.11, 0.12), (5.0, 0.18)):
        far_end.played(seconds)
        assert far_end.position_s == pytest.approx(wanted)


def test_counts_that_leave_the_header_begin_again() -> None:
    """A stream of two months goes on; a number that is none is refused before anything is sent."""
    chunk = AudioChunk(b"", 24_000, 7, 2**32 / 1000 + 1, 0.08, False, 2**32, 2**40 + 5)
    made = unpack(pack(chunk, 0, 2**32 + 3))
    assert (made.generation, made.start_ms, made.char_start, made.char_end) == (3, 1000, 0, 5)
    for stream in (-1, 2**32, 2**64):
        with pytest.raises(ConfigError, match="header"):
            pack(chunk, stream, 0)


def test_a_report_that_is_no_number_changes_nothing() -> None:
    """The position stays one."""
    far_end = FarEnd(lambda: 0.0)
    far_end.sent(0.08)
    for seconds in (float("nan"), -1.0, float("inf")):
        far_end.played(seconds)
        assert 0.0 <= far_end.position_s <= 0.08


@pytest.mark.parametrize(
    ("told", "rtf", "wanted"),
    [(None, 0.4, False), (0.4, 0.9, False), (None, 1.2, True), (0.9, 1.1, True), (1.1, 0.9, True)]
    + [(1.2, 1.3, False), (1.2, 1.4, True), (2.0, 1.5, True), (0.0, 0.0, False)],
)
def test_only_speeds_that_matter_are_told(told: float | None, rtf: float, wanted: bool) -> None:
    """Whether the machine keeps up, and by how much it does not."""
    assert is_news(told, rtf) is wanted
