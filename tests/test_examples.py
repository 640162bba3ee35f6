"""The examples, run as a reader would."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeEngine
from web import served

from moss_stream import Audio

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name: str, folder: Path, *arguments: str) -> str:
    """Run an example in a folder; return what it prints."""
    command = [sys.executable, "-W", "error::DeprecationWarning:__main__", str(EXAMPLES / name), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=18)
    assert done.returncode == 0, done.stderr
    return done.stdout


def seconds(path: Path) -> float:
    with wave.open(str(path), "rb") as file:
        return file.getnframes() / file.getframerate()


def test_examples_are_short() -> None:
    """Each fits on a screen."""
    for path in EXAMPLES.glob("*.py"):
        assert len(path.read_text().splitlines()) <= 60, path.name


def test_barge_in(tmp_path: Path) -> None:
    """What was heard is a part of the answer; the reply follows in the recording."""
    out = run("barge_in.py", tmp_path)
    assert "heard: 'Of course." in out and "never heard:" in out


def test_clone_voice(tmp_path: Path) -> None:
    """A recording goes in, another one comes out."""
    t = np.arange(48_000) / 24_000
    Audio((np.sin(2 * np.pi * 120 * t) * 8000).astype(np.int16)).save(tmp_path / "reference.wav")
    out = run("clone_voice.py", tmp_path, "reference.wav", "Good morning.")
    assert "2.0 s of reference" in out and "seed 1" in out and seconds(tmp_path / "cloned.wav") > 0.3


def test_many_streams(tmp_path: Path) -> None:
    """All four people are spoken to, together."""
    out = run("many_streams.py", tmp_path)
    assert out.count("first audio after") == 4 and "streams a step" in out


async def test_websocket_client(tmp_path: Path) -> None:
    """Text goes over the socket, audio comes back, and the words are printed as they are spoken."""
    engine = FakeEngine(frames_per_segment=5)
    async with served(engine) as (client, _):
        address = str(client.base_url).replace("http", "ws") + "/v1/speak"
        out = await asyncio.to_thread(
            run, "websocket_client.py", tmp_path, address, "Hello there, my friend."
        )
    assert out.startswith("Hello") and "done" in out
    # Where the text is cut depends on how fast it comes; every frame that was made is in the file.
    made_s = 0.4 * len(engine.texts())
    assert await asyncio.to_thread(seconds, tmp_path / "said.wav") == pytest.approx(made_s)
