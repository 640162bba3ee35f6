"""`--lexicon`, of every command that speaks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from golden_data import GOLDEN
from limits import HANG_S
from typer.testing import CliRunner, Result

from moss_stream.cli.app import app

LOCAL = ["--model", str(GOLDEN / "local"), "--codec", str(GOLDEN / "cat"), "--dtype", "float32"]
DELAY = ["--model", str(GOLDEN / "delay"), "--codec", str(GOLDEN / "cat"), "--dtype", "float32"]
WRITTEN, SPELLED = "Use kubectl now.", "Use cube control now."


@pytest.fixture(autouse=True)
def _in_a_folder_with_a_lexicon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    Path("words.txt").write_text("kubectl = cube control\n", encoding="utf-8")
    Path("ipa.txt").write_text("tomato = /təˈmɑːtəʊ/\n", encoding="utf-8")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def say(text: str, file: str, *more: str) -> Result:
    return run("say", text, *LOCAL, "--tokens", "12", "-o", file, *more)


def dialogue(text: str, file: str, *more: str) -> Result:
    return run("dialogue", f"[S1] {text}", *DELAY, "-o", file, *more)


def render(text: str, file: str, *more: str) -> Result:
    job = {"text": text, "file": file, "options": {"tokens": 12}}
    Path("jobs.jsonl").write_text(json.dumps(job), encoding="utf-8")
    return run("render", "jobs.jsonl", "--out", ".", *LOCAL, *more)


@pytest.mark.parametrize("command", [say, dialogue, render])
def test_a_word_sounds_as_it_is_spelled(command: Callable[..., Result]) -> None:
    """The audio is that of the spelling, to the sample."""
    for text, file, more in ((WRITTEN, "a.wav", ["--lexicon", "words.txt"]), (SPELLED, "b.wav", [])):
        result = command(text, file, *more)
        assert result.exit_code == 0, result.output
    assert Path("a.wav").read_bytes() == Path("b.wav").read_bytes()


def test_subtitles_have_the_words_as_they_were_written() -> None:
    """And a place in the text for each."""
    assert say(WRITTEN, "a.wav", "--lexicon", "words.txt", "--subtitles", "json").exit_code == 0
    words = json.loads(Path("a.json").read_text(encoding="utf-8"))
    assert [word["text"] for word in words] == WRITTEN.split()
    assert [WRITTEN[word["char_start"] : word["char_end"]] for word in words] == WRITTEN.split()


@pytest.mark.parametrize("command", [say, dialogue, render])
def test_a_lexicon_that_cannot_be_read_is_told(command: Callable[..., Result]) -> None:
    """Before anything is loaded."""
    result = command(WRITTEN, "a.wav", "--lexicon", "none.txt")
    assert result.exit_code == 1 and "'none.txt' cannot be read" in result.stderr


def test_ipa_is_read_by_models_that_learned_it_and_refused_by_others() -> None:
    """In a sentence that says what to do."""
    assert say("A tomato.", "a.wav", "--lexicon", "ipa.txt").exit_code == 0
    result = run("say", "A tomato.", "-o", "b.wav", "--lexicon", "ipa.txt")
    assert result.exit_code == 1 and "ipa.txt, line 1: 'tomato' is given in IPA" in result.stderr
    assert "Spell it in letters" in result.stderr and not Path("b.wav").exists()


def test_a_server_has_one_for_all_streams() -> None:
    """Its clients need to know nothing of it."""
    command = [sys.executable, "-c", "from moss_stream.cli.app import main; main()", "serve", "--port", "0"]
    with subprocess.Popen([*command, "--lexicon", "words.txt"], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            lines = iter(process.stderr)
            address = next(
                found[0] for line in lines if (found := re.search(r"http://127\.0\.0\.1:\d+", line))
            )
            audio = [
                urllib.request.urlopen(
                    urllib.request.Request(
                        f"{address}/v1/audio/speech",
                        json.dumps({"input": text, "response_format": "wav"}).encode(),
                        {"Content-Type": "application/json"},
                    ),
                    timeout=HANG_S,
                ).read()
                for text in (WRITTEN, SPELLED)
            ]
        finally:
            process.terminate()
            process.stderr.read()
    assert audio[0] == audio[1] and len(audio[0]) > 10_000
    refused = subprocess.run(
        [*command, "--lexicon", "ipa.txt"], capture_output=True, text=True, timeout=HANG_S
    )
    assert refused.returncode == 1 and "given in IPA" in refused.stderr and "Traceback" not in refused.stderr
