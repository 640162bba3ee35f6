from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from moss_stream import AudioChunk, ConfigError, SinkError
from moss_stream.sinks.whole import whole_file

CHUNK = AudioChunk(np.full(24_000, 1000, np.int16).tobytes(), 24_000, 0, 0.0, 1.0)


async def test_a_file_has_its_name_when_it_is_whole(tmp_path: Path) -> None:
    """In a folder that is made; what was there before stays until then."""
    target = tmp_path / "new" / "a.flac"
    async with whole_file(target, speed=2.0) as sink:
        await sink.write(CHUNK)
        assert not target.exists()
    assert soundfile.info(target).duration == pytest.approx(0.5, abs=0.1)
    assert os.listdir(target.parent) == ["a.flac"]


async def test_a_block_that_raises_leaves_nothing(tmp_path: Path) -> None:
    """What was there before stays."""
    target = tmp_path / "a.wav"
    target.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="stopped"):
        async with whole_file(target) as sink:
            await sink.write(CHUNK)
            raise RuntimeError("stopped")
    assert target.read_bytes() == b"old" and os.listdir(tmp_path) == ["a.wav"]


async def test_what_cannot_be_written(tmp_path: Path) -> None:
    """In a sentence: no format of that name, and a file where a folder should be."""
    with pytest.raises(ConfigError, match="End the name with"):
        async with whole_file(tmp_path / "a.doc"):
            pass
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SinkError, match="Choose another path"):
        async with whole_file(tmp_path / "file" / "a.wav"):
            pass
