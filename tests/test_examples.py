"""The examples, run as a reader would."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import subprocess
import sys
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from fakes import FakeEngine
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from limits import HANG_S
from web import listening, served
from websockets.asyncio.client import connect

from benchmarks.far_ends import Caller
from moss_stream import Audio

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name: str, folder: Path, *arguments: str) -> str:
    """Run an example in a folder; return what it prints."""
    command = [sys.executable, "-W", "error::DeprecationWarning:__main__", str(EXAMPLES / name), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=HANG_S
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_speak_llm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a language model writes is printed and spoken, before it is all there."""
    app = FastAPI()

    @app.post("/v1/chat/completions")
    async def complete() -> StreamingResponse:
        async def events() -> AsyncIterator[str]:
            for word in "The sky is blue because the air scatters blue light.".split(" "):
                yield f"data: {json.dumps({'choices': [{'index': 0, 'delta': {'content': word + ' '}}]})}\n\n"
            yield "data: [DONE]\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    async with listening(app) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "any")
        out = await asyncio.to_thread(run, "speak_llm.py", tmp_path, "Why is the sky blue?")
    assert out.startswith("The sky is blue") and "first audio" in out
    assert await asyncio.to_thread(seconds, tmp_path / "answer.wav") > 1.0


async def test_webrtc_bot(tmp_path: Path) -> None:
    """A call, a text, and it is heard; the next text interrupts it."""
    command = [sys.executable, str(EXAMPLES / "webrtc_bot.py"), "0"]
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
    bot = await asyncio.create_subprocess_exec(*command, env=environment, stderr=asyncio.subprocess.PIPE)
    assert bot.stderr is not None
    found = None
    while found is None:
        found = re.search(rb"http://127\.0\.0\.1:\d+", await bot.stderr.readline())
    caller = Caller()
    async with httpx.AsyncClient(base_url=found[0].decode()) as client:
        await caller.call(client, path="/offer")
    caller.channel.send("Good morning")
    while not caller.heard or np.abs(caller.samples).max() < 3000:
        await asyncio.sleep(0.05)
    caller.channel.send("Stop")
    assert "heard: You said: Good morning. Is there anything else?".startswith(await caller.texts.get())
    await caller.aclose()
    bot.terminate()
    await bot.communicate()


async def test_telephone_bot() -> None:
    """A call as Twilio makes it: it is greeted, speaks into the greeting, and the bot falls silent."""
    command = [sys.executable, str(EXAMPLES / "telephone_bot.py"), "0"]
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
    pipe = asyncio.subprocess.PIPE
    bot = await asyncio.create_subprocess_exec(*command, env=environment, stderr=pipe, stdout=pipe)
    assert bot.stderr is not None and bot.stdout is not None
    found = None
    while found is None:
        found = re.search(rb"http://(127\.0\.0\.1:\d+)", await bot.stderr.readline())
    address = found[1].decode()
    async with httpx.AsyncClient(base_url=f"http://{address}") as client:
        assert f'url="wss://{address}/call"' in (await client.post("/voice")).text
    async with connect(f"ws://{address}/call") as phone:
        await phone.send(json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
        await phone.send(json.dumps({"event": "start", "streamSid": "MZ1", "start": {"streamSid": "MZ1"}}))
        messages = [json.loads(await phone.recv()) for _ in range(30)]
        await phone.send(json.dumps(next(each for each in messages if each["event"] == "mark")))
        for _ in range(5):
            payload = base64.b64encode(bytes(range(160))).decode()
            await phone.send(
                json.dumps({"event": "media", "streamSid": "MZ1", "media": {"payload": payload}})
            )
        while json.loads(await phone.recv())["event"] != "clear":
            pass
        while not (await bot.stdout.readline()).startswith(b"heard:"):
            pass
    bot.terminate()
    await bot.communicate()


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
