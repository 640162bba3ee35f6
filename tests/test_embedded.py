"""The voice that ships with the package, and what a user hears of it."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import moss_stream
from moss_stream import AudioError, ModelNotFound, StreamingSynthesizer, Voice
from moss_stream.embedded import embedded_model
from training.recognise import Recogniser

ASSETS = Path(moss_stream.__file__).parent / "assets" / "embedded"
needs_voice = pytest.mark.skipif(not ASSETS.is_dir(), reason="the embedded voice is not trained yet")
MAX_BYTES, MAX_FILE_BYTES = 40_000_000, 16_000_000


@pytest.fixture
async def synth() -> AsyncIterator[StreamingSynthesizer]:
    """What a user gets who names no model."""
    async with await StreamingSynthesizer.load(device="cpu") as synth:
        yield synth


@needs_voice
async def test_a_recogniser_understands_it(synth: StreamingSynthesizer) -> None:
    """The words of a sentence nobody has trained on are heard, in their order."""
    audio = await synth.say("The quick brown fox jumps over the lazy dog.")
    assert Recogniser().words(audio.samples) == "the quick brown fox jumps over the lazy dog".split()


@needs_voice
async def test_it_says_what_it_is(caplog: pytest.LogCaptureFixture) -> None:
    """One line of the log names the embedded voice and the large model."""
    with caplog.at_level(logging.INFO, logger="moss_stream"):
        await (await StreamingSynthesizer.load(device="cpu")).close()
    lines = [record.message for record in caplog.records if "embedded" in record.message]
    assert len([line for line in lines if "OpenMOSS-Team/MOSS-TTS-Local-Transformer" in line]) == 1


@needs_voice
async def test_its_voices_are_there_by_name(synth: StreamingSynthesizer) -> None:
    """Each named voice speaks, and not as the others do; an unknown name is an error that helps."""
    assert set(synth.voices) == {"rms", "slt", "awb"}
    spoken = {name: (await synth.say("Good morning.", voice=name)).samples.tobytes() for name in synth.voices}
    assert len(set(spoken.values())) == 3
    with pytest.raises(AudioError, match="nobody"):
        await synth.say("Good morning.", voice="nobody")


@needs_voice
async def test_a_recording_of_one_of_its_voices_can_be_cloned(
    synth: StreamingSynthesizer, tmp_path: Path
) -> None:
    """What it has spoken can be the reference of what it speaks next."""
    audio = await synth.say("This is how I sound when I speak for a while.", voice="slt")
    audio.save(tmp_path / "slt.wav")
    voice = await synth.encode_voice(tmp_path / "slt.wav")
    assert isinstance(voice, Voice) and voice.duration_s == pytest.approx(audio.duration_s)
    assert (await synth.say("Good morning.", voice=voice)).duration_s > 0.3


@needs_voice
def test_it_is_small_enough_to_ship() -> None:
    """At most 40 MB in all and 16 MB a file, with a card that names the licences."""
    sizes = [file.stat().st_size for file in embedded_model().rglob("*") if file.is_file()]
    assert sum(sizes) <= MAX_BYTES and max(sizes) <= MAX_FILE_BYTES
    card = (embedded_model() / "README.md").read_text(encoding="utf-8")
    assert all(word in card for word in ("licence", "flite", "WordNet", "fortune", "jargon"))


@needs_voice
def test_its_format_is_that_of_the_large_model() -> None:
    """The files a checkpoint has are there, and the codec is found through them."""
    folder = embedded_model()
    assert json.loads((folder / "config.json").read_text())["model_type"] == "moss_tts_delay"
    assert (folder / "tokenizer.json").is_file() and (folder / "codec" / "config.json").is_file()


async def test_an_installation_without_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where there is no embedded voice, the error names the large model."""
    monkeypatch.setattr("moss_stream.embedded.files", lambda name: tmp_path)
    with pytest.raises(ModelNotFound, match="OpenMOSS-Team"):
        await StreamingSynthesizer.load()
