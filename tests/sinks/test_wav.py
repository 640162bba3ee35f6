from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fakes import TONE_PEAK, StereoFake, is_silent, is_tone, synthesizer_on

from moss_stream import SinkError, WavSink, play
from moss_stream.audio import FRAME_S, as_samples
from tests.sinks.test_sink import chunk, contents, expected, speech


async def test_wav_sink_writes_a_wav_file(tmp_path: Path) -> None:
    """The file is mono, 16 bits, 24 kHz, and holds every sample; an old file of that name is gone."""
    path = tmp_path / "a.wav"
    path.write_bytes(b"old" * 99_999)
    sink = WavSink(path)
    report = await play(speech(3), sink)
    await sink.aclose()
    assert contents(path) == (1, 2, 24_000, expected(3))
    assert report.played_s == pytest.approx(0.24) and report.dropped_s == 0


async def test_the_header_is_right_while_the_file_is_open(tmp_path: Path) -> None:
    """After each flush the file can be played although more is to come."""
    sink = WavSink(str(tmp_path / "a.wav"))
    for written in (1, 2, 3):
        await sink.write(chunk(written - 1))
        await sink.flush()
        assert contents(tmp_path / "a.wav")[3] == expected(written)
        assert sink.position_s == pytest.approx(written * FRAME_S)
    await sink.aclose()


async def test_cleared_audio_stays_in_the_file(tmp_path: Path) -> None:
    """An interrupted speech is in the file up to the interruption, and the next one after it."""
    sink = WavSink(tmp_path / "a.wav")
    await sink.write(chunk(0))
    assert (await sink.clear()).dropped_s == 0
    assert contents(tmp_path / "a.wav")[3] == expected(1)
    await sink.write(chunk(1))
    await sink.aclose()
    assert contents(tmp_path / "a.wav")[3] == expected(2)


@pytest.mark.parametrize("is_opened", [False, True])
async def test_without_audio_nothing_is_touched(tmp_path: Path, is_opened: bool) -> None:
    """A sink that is closed before anything was written, even twice, leaves what was there and no more."""
    for before in (None, b"an earlier recording"):
        if before is not None:
            (tmp_path / "a.wav").write_bytes(before)
        sink = WavSink(tmp_path / "a.wav")
        if is_opened:
            await sink.open()
        await sink.aclose()
        await sink.aclose()
        found = await asyncio.to_thread(lambda: [path.read_bytes() for path in tmp_path.iterdir()])
        assert found == ([] if before is None else [before])


async def test_an_interrupted_recording_can_be_played(tmp_path: Path) -> None:
    """Without a flush, a clear or a close, as after a crash: every chunk that was written is there."""
    sink = WavSink(tmp_path / "a.wav")
    for written in (1, 2, 3):
        await sink.write(chunk(written - 1))
        assert contents(tmp_path / "a.wav")[3] == expected(written)
    await sink.aclose()


async def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """What it points to is replaced, not the link."""
    (tmp_path / "real.wav").write_bytes(b"old")
    (tmp_path / "a.wav").symlink_to(tmp_path / "real.wav")
    sink = WavSink(tmp_path / "a.wav")
    await sink.write(chunk(0))
    await sink.aclose()
    assert (tmp_path / "a.wav").is_symlink() and contents(tmp_path / "real.wav")[3] == expected(1)


async def test_an_unwritable_path_is_named(tmp_path: Path) -> None:
    """A folder that is not there, or a path that is a folder, is a sentence with the path and the reason."""
    for path, why in ((tmp_path / "none" / "a.wav", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(SinkError, match=f"cannot be written .{why}.*Choose another path") as caught:
            await WavSink(path).open()
        assert str(path) in str(caught.value)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
async def test_a_full_disk_is_a_sink_error() -> None:
    """Speech that finds no room on the disk ends in a sentence, and the sink can still be closed."""
    sink = WavSink("/dev/full")
    with pytest.raises(SinkError, match="/dev/full' cannot be written .No space left"):
        await play(speech(2), sink)
    with pytest.raises(SinkError, match="No space left"):
        await sink.aclose()
    await sink.aclose()


async def test_a_stereo_stream_becomes_a_stereo_file(tmp_path: Path) -> None:
    """Without being told the file has the rate and channels of what comes, left on the left."""
    sink = WavSink(tmp_path / "a.wav")
    async with await synthesizer_on(StereoFake(frames_per_segment=5)) as synth:
        report = await play(synth.stream("Hello."), sink)
    await sink.aclose()
    channels, _, rate, pcm = contents(tmp_path / "a.wav")
    samples = as_samples(pcm, 2)
    assert (channels, rate) == (2, 48_000) == (sink.channels, sink.sample_rate)
    assert report.played_s == pytest.approx(0.4) == len(samples) / 48_000
    assert is_tone(samples[:, 0], rate) and is_silent(samples[:, 1])


async def test_a_file_with_a_format_of_its_own(tmp_path: Path) -> None:
    """`play` brings a stream to it; written past `play`, stereo is refused, and so is what came later."""
    sink = WavSink(tmp_path / "a.wav", sample_rate=24_000, channels=1)
    async with await synthesizer_on(StereoFake(frames_per_segment=5)) as synth:
        await play(synth.stream("Hello."), sink)
        with pytest.raises(SinkError, match="takes 24000 Hz"):
            async for each in synth.stream("Hello."):
                await sink.write(each)
        with pytest.raises(SinkError, match="takes mono, and this chunk is stereo"):
            async for each in synth.stream("Hello."):
                await WavSink(tmp_path / "b.wav", channels=1).write(each)
    await sink.aclose()
    channels, _, rate, pcm = contents(tmp_path / "a.wav")
    assert (channels, rate) == (1, 24_000) and is_tone(as_samples(pcm, 1), rate, TONE_PEAK / 2)
