"""The same text, voice and seed give the same audio, however slow the engine is."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fakes import FakeEngine
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import Lab
from web import served
from websockets.asyncio.client import connect

from moss_stream import StreamingSynthesizer
from moss_stream.engine.worker import Worker
from moss_stream.inbox import Feed, draw

TEXT = (
    "Well, this is the first of several sentences. It is 3.14 in all, he said! See "
    "[the page](https://a.b/c?d) and **then** go on, if you can; or wait, and think. Is it so? Yes. "
)
TEXTS = [
    TEXT,
    TEXT * 12,
    "word " * 400,
    "Oh, " * 300 + "no.",
    "我想说，" * 300,
    f"A [{'x' * 150}](h{'t' * 290} b. " * 9,
]


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(TEXTS), st.integers(0, 2**32), st.booleans())
def test_neither_a_slow_engine_nor_a_slow_reader_changes_a_cut(text: str, seed: int, reports: bool) -> None:
    """Segments and audio are the same at any speed, with any lead, whenever the pieces come."""

    async def spoken(choose: random.Random | None) -> tuple[list[str], bytes]:
        lab = Lab(engine := FakeEngine(frames_per_segment=9))
        listener = lab.speak(reports=reports)
        feed = Feed(lambda: None)
        feed.attach(listener.job)
        listener.job._on_taken = feed.taken
        drawing = asyncio.create_task(draw(text, feed, listener.job))
        pace = engine.on_work

        def work(kind: str, count: int) -> None:
            lab.now_s += 0.0 if choose is None else choose.choice([0.0, 0.01, 0.3, 2.0])
            assert pace is not None
            pace(kind, count)

        engine.on_work = work
        while not listener.is_done:
            for _ in range(0 if choose is None else choose.randrange(3)):
                await lab.tick()
            await lab.run(0.1, lambda: listener.is_done)
        await drawing
        return engine.texts(), b"".join(chunk.pcm for chunk in listener.chunks)

    assert asyncio.run(spoken(random.Random(seed))) == asyncio.run(spoken(None))


async def over_openai(client: httpx.AsyncClient, synth: StreamingSynthesizer, text: str) -> bytes:
    answer = await client.post("/v1/audio/speech", json={"input": text, "response_format": "pcm"})
    return answer.content


async def over_cartesia_bytes(client: httpx.AsyncClient, synth: StreamingSynthesizer, text: str) -> bytes:
    return (await client.post("/tts/bytes", json={"transcript": text})).content


async def over_speak(client: httpx.AsyncClient, synth: StreamingSynthesizer, text: str) -> bytes:
    audio = b""
    async with connect(str(client.base_url).replace("http", "ws") + "/v1/speak") as socket:
        await socket.send(json.dumps({"type": "start"}))
        await socket.send(json.dumps({"type": "text", "text": text, "end": True}))
        while '"done"' not in str(message := await socket.recv()):
            audio += message[20:] if isinstance(message, bytes) else b""
    return audio


async def over_cartesia(client: httpx.AsyncClient, synth: StreamingSynthesizer, text: str) -> bytes:
    kinds = []
    async with connect(str(client.base_url).replace("http", "ws") + "/tts/websocket") as socket:
        await socket.send(json.dumps({"context_id": "c", "transcript": text}))
        while '"done": true' not in (message := str(await socket.recv())):
            kinds.append(json.loads(message)["data"])
    return "".join(kinds).encode()


async def over_say(client: httpx.AsyncClient, synth: StreamingSynthesizer, text: str) -> bytes:
    return (await synth.say(text)).samples.tobytes()


async def over_list(client: httpx.AsyncClient, synth: StreamingSynthesizer, text: str) -> bytes:
    deltas = [text[at : at + 7] for at in range(0, len(text), 7)]
    return (await synth.say(deltas)).samples.tobytes()


async def over_end(client: httpx.AsyncClient, synth: StreamingSynthesizer, text: str) -> bytes:
    stream = synth.stream()
    ending = asyncio.create_task(stream.end(text))
    audio = b"".join([chunk.pcm async for chunk in stream])
    await ending
    return audio


@pytest.mark.parametrize(
    "door", [over_openai, over_cartesia_bytes, over_speak, over_cartesia, over_say, over_list, over_end]
)
async def test_a_request_can_be_repeated_over_every_door(
    door: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock jumps as it likes between two looks at it; what is asked of the engine is the same."""
    choose, now = random.Random(1), [0.0]

    def clock() -> float:
        now[0] += choose.choice([0.0, 0.001, 0.2, 1.5])
        return now[0]

    monkeypatch.setattr(Worker, "clock", property(lambda self: clock))
    found = []
    for _ in range(4):
        engine = FakeEngine(frames_per_segment=1)  # more would be handed out at the pace of speech
        async with served(engine) as (client, synth):
            audio = await door(client, synth, TEXT * 3 + "Oh, yes, " * 150)
        found.append((engine.texts(), audio))
    assert len(found[0][0]) > 3 and all(each == found[0] for each in found)
