"""Where speech goes: formats, speed, subtitles, standard output."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
from golden_data import GOLDEN
from limits import HANG_S
from typer.testing import CliRunner, Result

from moss_stream.cli.app import app

MODEL = ["--model", str(GOLDEN / "local"), "--codec", str(GOLDEN / "cat"), "--tokens", "12"]
TEXT = "Hello there, my friend."


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")


def say(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["say", TEXT, *MODEL, *arguments])


@pytest.mark.parametrize("name", ["a.mp3", "a.flac", "a.ogg", "a.wav"])
def test_the_name_says_the_format(name: str) -> None:
    """And the line below says where it is."""
    result = say("-o", name)
    assert result.exit_code == 0 and f"Writing {name}" in result.stderr
    assert soundfile.info(name).duration > 0.2


def test_faster_speech_is_shorter() -> None:
    """In every format; its subtitles too."""
    seconds = []
    for name, speed in (("a.wav", "1"), ("b.wav", "2")):
        assert say("-o", name, "--speed", speed, "--subtitles", "json").exit_code == 0
        words = json.loads(Path(name).with_suffix(".json").read_text(encoding="utf-8"))
        assert [word["text"] for word in words] == TEXT.split()
        seconds.append((soundfile.info(name).duration, words[-1]["end_s"]))
    assert seconds[1][0] == pytest.approx(seconds[0][0] / 2, abs=0.06)
    assert seconds[1][1] == pytest.approx(seconds[0][1] / 2, abs=0.002)


@pytest.mark.parametrize(("kind", "begins"), [("srt", "1\n00:00:0"), ("vtt", "WEBVTT\n")])
def test_subtitles_stand_beside_the_file(kind: str, begins: str) -> None:
    """With its name."""
    assert say("-o", "a.mp3", "--subtitles", kind).exit_code == 0
    assert Path(f"a.{kind}").read_text(encoding="utf-8").startswith(begins)


def test_standard_output_is_a_wav_stream_and_may_be_closed() -> None:
    """Nothing but audio on it; a reader that has had enough is no error."""
    command = [sys.executable, "-c", "from moss_stream.cli.app import main; main()", "say", TEXT, *MODEL]
    run = subprocess.run([*command, "-o", "-"], capture_output=True, timeout=HANG_S)
    assert run.returncode == 0 and run.stdout.startswith(b"RIFF") and len(run.stdout) > 44 + 3840
    closed = subprocess.Popen([*command, "-o", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert closed.stdout is not None and closed.stderr is not None
    closed.stdout.close()
    assert closed.wait(HANG_S) == 141 and b"error" not in closed.stderr.read()
    closed.stderr.close()


def test_what_is_no_format() -> None:
    """In a sentence, before anything is spoken."""
    result = say("-o", "a.doc")
    assert result.exit_code == 1 and "End the name with .wav, .mp3" in result.stderr


def test_completion() -> None:
    """A script for the shell, and what it asks the program."""
    result = CliRunner().invoke(app, ["completion", "fish"])
    assert result.exit_code == 0 and "_MOSS_STREAM_COMPLETE=complete_fish" in result.output
    environment = {"_MOSS_STREAM_COMPLETE": "complete_bash", "COMP_WORDS": "moss-stream s", "COMP_CWORD": "1"}
    command = [sys.executable, "-c", "from moss_stream.cli.app import main; main()"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HANG_S)
    assert {"say", "serve", "sound"} <= set(run.stdout.split())
