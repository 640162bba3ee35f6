"""The bots of `examples`, with a language model that is not one."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import sys
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from livekit.agents import Agent
from test_adapter_livekit import Loudspeaker

from moss_stream import StreamingSynthesizer

EXAMPLES = Path(__file__).parents[2] / "examples"
ANSWER = "The sky is blue because the air scatters blue light."


@pytest.fixture
async def language_model(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Gives one answer, word by word, as OpenAI's do."""

    async def complete(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        common = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "any"}
        for word in ANSWER.split(" "):
            delta = {"role": "assistant", "content": word + (" " if word != "light." else "")}
            choices = [{"index": 0, "delta": delta, "finish_reason": None}]
            await response.write(f"data: {json.dumps({**common, 'choices': choices})}\n\n".encode())
        await response.write(b"data: [DONE]\n\n")
        return response

    app = web.Application()
    app.router.add_post("/v1/chat/completions", complete)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://{host}:{port}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    yield
    await runner.cleanup()


async def test_pipecat_bot(language_model: None, tmp_path: Path) -> None:
    """The answer is in the file, and its words on the screen."""
    command = [sys.executable, str(EXAMPLES / "pipecat_bot.py"), "Why is the sky blue?"]
    pipe = asyncio.subprocess.PIPE
    bot = await asyncio.create_subprocess_exec(
        *command, cwd=tmp_path, env={**os.environ}, stdout=pipe, stderr=pipe
    )
    out, err = await bot.communicate()
    assert bot.returncode == 0 and out.decode().split() == ANSWER.split(), err.decode()
    with wave.open(str(tmp_path / "answer.wav")) as file:
        assert file.getnframes() / file.getframerate() > 1.5


async def test_livekit_bot(language_model: None) -> None:
    """The session that it makes answers, and remembers what it said."""
    spec = importlib.util.spec_from_file_location("livekit_bot", EXAMPLES / "livekit_bot.py")
    assert spec is not None and spec.loader is not None
    bot = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bot)
    async with await StreamingSynthesizer.load() as synth:
        session = bot.session_with(synth)
        session.output.audio = loudspeaker = Loudspeaker()
        await session.start(Agent(instructions=bot.MANNER))
        await session.generate_reply(user_input="Why is the sky blue?").wait_for_playout()
        said = [item.text_content for item in session.history.items if item.type == "message"]
        await session.aclose()
    assert said[-1].strip() == ANSWER and loudspeaker.played_s > 1.5
