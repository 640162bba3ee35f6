from __future__ import annotations

import pytest

from moss_stream.engine.segment_watch import SegmentWatch


def watch(room: int = 1000) -> SegmentWatch:
    made = SegmentWatch()
    made.begin(room)
    return made


def rows_until_ended(made: SegmentWatch, **heard: bool) -> int:
    """How many rows with audio it takes."""
    given = {"has_sound": True, "is_pause_wanted": False, **heard}
    return next(n for n in range(1, 2000) if made.heard(max_frames=400, **given))


def test_a_segment_that_runs_on_is_ended() -> None:
    """After more frames than its text can need, or when the context holds no more."""
    assert rows_until_ended(watch()) == 400
    assert rows_until_ended(watch(room=120)) == 120


def test_a_segment_that_falls_silent_is_ended() -> None:
    """After 2 s; where silence is wanted it may go on."""
    assert rows_until_ended(watch(), has_sound=False) == 25
    assert rows_until_ended(watch(), has_sound=False, is_pause_wanted=True) == 400


def test_sound_ends_a_silence() -> None:
    """What is counted is one silence, not all of them."""
    made = watch()
    for _ in range(3):
        assert not any(made.heard(False, 400, False) for _ in range(24))
        assert not made.heard(True, 400, False)


@pytest.mark.parametrize("room", [100, 1000])
def test_a_segment_without_audio_is_ended(room: int) -> None:
    """After 150 rows, or when the context is full; audio in between starts the count again."""
    made = watch(room)
    assert sum(not made.mute() for _ in range(room)) == min(149, room - 1)
    made.begin(1000)
    assert not any(made.mute() for _ in range(149))
    made.heard(True, 400, False)
    assert not any(made.mute() for _ in range(149))
    assert made.room == 1000
