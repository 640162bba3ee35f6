from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from moss_stream import SinkError, Word
from moss_stream.part_store import PartStore

WORDS = [Word("Hé,", 0, 3, 0.0, 0.5), Word("you.", 4, 8, 0.5, 1.0, "S1")]


@pytest.mark.parametrize("channels", [1, 2])
def test_a_part_is_kept_as_it_is(tmp_path: Path, channels: int) -> None:
    """Its audio to the sample, in any length, and its words."""
    rng = np.random.default_rng(0)
    samples = rng.integers(-32768, 32768, (8000 * 12, channels), dtype=np.int16)
    samples = samples[:, 0] if channels == 1 else samples
    store = PartStore(tmp_path / "parts", 8000, channels)
    store.open()
    assert not store.has("a")
    store.put("a", samples, WORDS)
    again = PartStore(tmp_path / "parts", 8000, channels)
    again.open()
    assert again.has("a") and again.notes("a") == (WORDS, 12.0)
    np.testing.assert_array_equal(again.audio("a"), samples)
    chunks = list(again.chunks("a"))
    assert b"".join(chunk.pcm for chunk in chunks) == samples.tobytes()
    assert [chunk.duration_s for chunk in chunks] == [10.0, 2.0] and chunks[0].channels == channels
    again.remove()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "content"), [("a.flac", b""), ("a.flac", b"x" * 99), ("a.json", b"{"), ("a.json", b"[]")]
)
def test_a_damaged_part_is_none(tmp_path: Path, name: str, content: bytes) -> None:
    """It is spoken again."""
    store = PartStore(tmp_path, 8000, 1)
    store.put("a", np.zeros(800, np.int16), WORDS)
    (tmp_path / name).write_bytes(content)
    assert not store.has("a")


def test_half_a_part_is_none(tmp_path: Path) -> None:
    """Whichever half; what was being written goes when the folder is opened."""
    store = PartStore(tmp_path, 8000, 1)
    for name in ("a.flac", "a.json"):
        store.put("a", np.zeros(800, np.int16), WORDS)
        (tmp_path / name).unlink()
        assert not store.has("a")
    (tmp_path / ".b.flac.0.part").write_bytes(b"half")
    store.open()
    assert not (tmp_path / ".b.flac.0.part").exists()


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    """In a sentence."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SinkError, match="Choose another path"):
        PartStore(tmp_path / "file", 8000, 1).open()
    with pytest.raises(SinkError, match="Make room"):
        PartStore(tmp_path / "none", 8000, 1).put("a", np.zeros(8, np.int16), [])
