from __future__ import annotations

import sys
import wave
from pathlib import Path

import numpy as np
import pytest
from fakes import AbleFake, synthesizer_on
from golden_data import GOLDEN
from typer.testing import CliRunner, Result

from moss_stream import Audio, StreamingSynthesizer, load_voice
from moss_stream.cli.app import app
from moss_stream.cli.speaking import Loading

MODEL = ["--model", str(GOLDEN / "delay"), "--codec", str(GOLDEN / "cat"), "--dtype", "float32"]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def seconds(path: str) -> float:
    with wave.open(path, "rb") as file:
        return file.getnframes() / file.getframerate()


def test_a_dialogue_becomes_a_recording() -> None:
    """Each speaker with the voice that was named for them."""
    Audio((8000 * np.sin(np.arange(24_000) / 20)).astype(np.int16), 24_000).save("voice.wav")
    text = "[S1] Yes. [S2] No."
    result = run("dialogue", text, "--voice", "S1=voice.wav", "--voice", "S2=", *MODEL, "-o", "a.wav")
    assert result.exit_code == 0, result.output
    assert seconds("a.wav") > 0


def test_who_a_voice_belongs_to_has_to_be_said() -> None:
    """Before the text is spoken."""
    result = run("dialogue", "[S1] Yes.", "--voice", "anna.wav", *MODEL)
    assert result.exit_code == 1 and "such as S1=anna.wav" in result.stderr


def test_a_sound_has_about_the_length_that_was_asked_for() -> None:
    """The model says when it is over; it cannot run on for ever."""
    result = run("sound", "rain on a tin roof", "--seconds", "0.5", *MODEL, "-o", "rain.wav")
    assert result.exit_code == 0, result.output
    assert 0 < seconds("rain.wav") < 5


def test_voices_are_made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One for each seed: a recording to listen to, and a file to speak with."""

    async def load(loading: Loading, console: object) -> StreamingSynthesizer:
        return await synthesizer_on(AbleFake())

    monkeypatch.setattr(Loading, "load", load)
    arguments = ["--candidates", "2", "--seed", "6", "-o", "made"]
    result = run("design", "A calm, low voice", *arguments, *MODEL)
    assert result.exit_code == 0, result.output
    for seed in (6, 7):
        voice = load_voice(tmp_path / "made" / f"voice-{seed}.npz")
        assert voice.description == "A calm, low voice"
        assert seconds(f"made/voice-{seed}.wav") == pytest.approx(voice.duration_s, abs=0.081)


def test_say_takes_what_this_family_knows() -> None:
    """Few codebooks first, and an instruction; a model that does not know the first says so."""
    arguments = ["--first-n-vq", "2", "--instruction", "calmly"]
    result = run("say", "Yes.", *arguments, *MODEL, "-o", "a.wav")
    assert result.exit_code == 0, result.output
    local = ["--model", str(GOLDEN / "local"), "--codec", str(GOLDEN / "cat")]
    assert "first_n_vq=2: this model makes all codebooks" in run("say", "Yes.", *arguments, *local).stderr


def test_a_model_that_cannot_says_which_one_can() -> None:
    """In a sentence."""
    result = run("sound", "rain", "--model", str(GOLDEN / "local"), "--codec", str(GOLDEN / "cat"))
    assert result.exit_code == 1 and "Load MOSS-SoundEffect" in result.stderr
