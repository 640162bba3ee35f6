from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest
from fakes import AbleFake, synthesizer_on

from moss_stream import Audio, AudioError, Voice, load_voice, save_voice

SAID = Audio(np.zeros(9, np.int16), 24_000)
VOICE = Voice(np.arange(24).reshape(3, 8), "key", "A calm voice", 1.5, 24_000, SAID)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """All but the audition; a folder that is not there is made."""
    save_voice(VOICE, tmp_path / "new" / "calm.npz")
    found = load_voice(str(tmp_path / "new" / "calm.npz"))
    np.testing.assert_array_equal(found.codes, VOICE.codes)
    assert (found.key, found.description, found.gain) == ("key", "A calm voice", 1.5)
    assert found.sample_rate == 24_000 and found.audition is None


async def test_it_is_spoken_with_by_its_path(tmp_path: Path) -> None:
    """By every model of the codec, with the codebooks that it has."""
    await asyncio.to_thread(save_voice, VOICE, tmp_path / "calm.npz")
    engine = AbleFake()
    async with await synthesizer_on(engine) as synth:
        await synth.say("Hello.", voice=tmp_path / "calm.npz")
        with pytest.raises(AudioError, match="There is no file"):
            await synth.say("Hello.", voice=tmp_path / "none.npz")


@pytest.mark.parametrize("content", [b"", b"RIFF", b"PK\x03\x04broken", b"x" * 1_000_001])
def test_what_holds_no_voice_is_refused(tmp_path: Path, content: bytes) -> None:
    """Whatever it is."""
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(AudioError, match="holds no voice"):
        load_voice(path)


@pytest.mark.parametrize(
    "changed",
    [
        {"codes": np.zeros((0, 8), np.int16)},
        {"codes": np.zeros((2, 8), np.float32)},
        {"codes": np.full((2, 8), -1, np.int16)},
        {"codes": np.array([object()])},
        {"about": "{}"},
        {"about": json.dumps({"key": "", "description": "", "gain": 99.0, "sample_rate": None})},
        {"about": json.dumps({"key": "", "description": "", "gain": 1.0, "sample_rate": "x"})},
    ],
)
def test_damaged_voices_are_refused(tmp_path: Path, changed: dict[str, object]) -> None:
    """Values of the wrong kind or size."""
    about = json.dumps({"key": "", "description": "", "gain": 1.0, "sample_rate": None})
    held: dict[str, object] = {"codes": np.zeros((2, 8), np.int16), "about": about, **changed}
    np.savez(tmp_path / "a.npz", **held)  # type: ignore[arg-type]
    with pytest.raises(AudioError, match="holds no voice"):
        load_voice(tmp_path / "a.npz")


def test_names_and_places(tmp_path: Path) -> None:
    """A voice has a name of its kind, and a place that can be written to."""
    with pytest.raises(AudioError, match="a voice is kept in a file .npz"):
        save_voice(VOICE, tmp_path / "a.wav")
    (tmp_path / "file").write_text("")
    with pytest.raises(AudioError, match="cannot be written"):
        save_voice(VOICE, tmp_path / "file" / "a.npz")
