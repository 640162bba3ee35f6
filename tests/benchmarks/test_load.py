"""Two hundred sockets at a time, most of them up to no good: those who listen notice nothing."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from fakes import FakeEngine
from web import served
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from moss_stream import EngineOptions
from moss_stream.wire import unpack

LISTENERS, IDLE, SLOW, KILLED, GREEDY, HALF_OPEN = 6, 120, 20, 20, 20, 20
FRAMES, ROUNDS = 25, 2
STEP_S = 0.004


async def say(socket: ClientConnection, text: str = "Hello there.") -> None:
    for order in ({"type": "start"}, {"type": "text", "text": text}, {"type": "end"}):
        await socket.send(json.dumps(order))


async def listen(url: str) -> list[dict[str, Any]]:
    """Speak again and again; return the metrics of each stream, whose audio must be whole."""
    found = []
    async with connect(url, compression=None) as socket:
        for _ in range(ROUNDS):
            await say(socket)
            starts = []
            while True:
                message = await socket.recv()
                if isinstance(message, bytes):
                    starts.append(unpack(message).start_ms)
                elif (content := json.loads(message))["type"] in ("done", "error"):
                    break
            assert starts == [80 * index for index in range(FRAMES)], content
            found.append(content["metrics"])
    return found


async def read_slowly(url: str, until: asyncio.Event) -> None:
    """Have something long spoken, and read nothing of it."""
    async with connect(url, compression=None, max_queue=1, close_timeout=0.1) as socket:
        await say(socket)
        await until.wait()


async def be_killed(url: str) -> None:
    """Go without a word when the first audio comes."""
    socket = await connect(url, compression=None)
    await say(socket)
    while not isinstance(await socket.recv(), bytes):
        pass
    socket.transport.abort()
    await socket.wait_closed()


async def be_greedy(url: str) -> int:
    """Ask for more streams than a key may have; return how many were refused."""
    async with connect(f"{url}?api_key=greedy-key", compression=None) as socket:
        for number in range(4):
            await socket.send(json.dumps({"type": "start", "stream": number}))
        answers = [json.loads(await socket.recv()) for _ in range(4)]
        return sum(answer.get("code") == "too_many_streams" for answer in answers)


async def hold_the_line(port: int, until: asyncio.Event) -> None:
    """Begin a handshake and never end it."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /v1/speak HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n")
    await until.wait()
    writer.close()


@pytest.mark.ci
@pytest.mark.slow
async def test_two_hundred_sockets() -> None:
    """No listener gets a gap; afterwards no task, stream or slot is left."""
    engine = FakeEngine(frames_per_segment=FRAMES, max_streams=64, on_step=lambda _: time.sleep(STEP_S))
    options = EngineOptions(max_streams=64, max_queue=64, max_lead_ms=400)
    keys = ("a-long-secret-key", "greedy-key")
    async with served(engine, options, api_keys=keys, streams_per_key=50) as (client, synth):
        url = str(client.base_url).replace("http", "ws") + "/v1/speak"
        assert client.base_url.port is not None
        mine = f"{url}?api_key={keys[0]}"
        await listen(mine)
        before = len(asyncio.all_tasks())
        over = asyncio.Event()
        sockets = [await connect(mine, compression=None) for _ in range(IDLE)]
        others = [asyncio.create_task(read_slowly(mine, over)) for _ in range(SLOW)]
        others += [asyncio.create_task(be_killed(mine)) for _ in range(KILLED)]
        others += [asyncio.create_task(hold_the_line(client.base_url.port, over)) for _ in range(HALF_OPEN)]
        listening = asyncio.gather(*(listen(mine) for _ in range(LISTENERS)))
        refused = await asyncio.gather(*(be_greedy(url) for _ in range(GREEDY)))
        heard = await listening
        over.set()
        ended = await asyncio.gather(*others, return_exceptions=True)
        assert all(end is None or isinstance(end, ConnectionClosed) for end in ended), ended
        await asyncio.gather(*(socket.close() for socket in sockets))
        while synth.metrics.active or synth.metrics.queued or len(asyncio.all_tasks()) > before:
            await asyncio.sleep(0.01)
    metrics = [each for listener in heard for each in listener]
    assert sum(refused) > 0 and len(metrics) == LISTENERS * ROUNDS
    assert all(each["underruns"] == 0 for each in metrics)
