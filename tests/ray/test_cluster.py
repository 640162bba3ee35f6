"""Two replicas of Ray Serve, as clients and operators see them."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from contextlib import AsyncExitStack, suppress
from itertools import cycle, islice
from pathlib import Path

import httpx
import numpy as np
import psutil
import soundfile
from conftest import SLOTS, Cluster, replicas
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError

from benchmarks.protocols import WAYS, Address

TEXT = "Hello there. This is a sentence that every client says."
LONG = "This sentence is said again and again. " * 400
SPEECH = "/v1/audio/speech"
BODY = {"model": "tts-1", "voice": "alloy", "response_format": "pcm"}
GONE = 1012


async def hold(socket: ClientConnection, text: str = "Hello there.") -> None:
    """Take a slot: say something, and leave open what comes next."""
    for order in ({"type": "start"}, {"type": "text", "text": text}, {"type": "flush"}):
        await socket.send(json.dumps(order))
    while True:
        message = await socket.recv()
        if isinstance(message, str) and json.loads(message)["type"] in ("flushed", "error"):
            assert json.loads(message)["type"] == "flushed", message
            return


async def finish(socket: ClientConnection) -> str:
    """End a stream that was held; return how it ended."""
    await socket.send(json.dumps({"type": "end"}))
    while True:
        message = await socket.recv()
        if isinstance(message, str) and (kind := json.loads(message)["type"]) in ("done", "error"):
            return str(kind)


def sockets(cluster: Cluster) -> str:
    return cluster.http.replace("http", "ws", 1) + "/v1/speak"


async def test_thirty_clients_of_all_protocols(cluster: Cluster, client: httpx.AsyncClient) -> None:
    """All hear all of it, both replicas speak, and nothing is left."""
    ways = [way for name, way in WAYS.items() if name != "Wyoming"]
    address, heard = Address(cluster.http, 0, client), [0] * 30

    async def listen(number: int) -> None:
        def hear(count: int) -> None:
            heard[number] += count

        for _ in range(20):  # who is refused comes again
            with suppress(httpx.HTTPStatusError, AssertionError, ConnectionClosedError):
                await list(islice(cycle(ways), 30))[number](address, TEXT, hear)
                if heard[number]:
                    return
            await asyncio.sleep(0.5)

    before = await cluster.figures("moss_frames_total")
    await asyncio.gather(*map(listen, range(30)))
    assert min(heard) > 24_000 * 2  # a second of int16, whichever protocol it was
    after = await cluster.until("moss_streams_active", lambda each: not sum(each.values()))
    assert len(after) == 2
    spoken = await cluster.figures("moss_frames_total")
    assert all(spoken[name] > before[name] for name in spoken)


async def test_who_leaves_frees_the_slot(cluster: Cluster, client: httpx.AsyncClient) -> None:
    """In the middle of a request of minutes, and on a socket."""
    async with client.stream("POST", SPEECH, json={**BODY, "input": LONG[:15_000]}) as answer:
        parts = answer.aiter_bytes()  # kept: dropped, it would close the answer
        await anext(parts)
        async with connect(sockets(cluster)) as socket:
            await hold(socket)
            await cluster.until("moss_streams_active", lambda each: sum(each.values()) == 2)
    await cluster.until("moss_streams_active", lambda each: not sum(each.values()))


async def test_errors_are_those_of_one_server(client: httpx.AsyncClient) -> None:
    """Bad input, an unknown voice, a path that is not there."""
    answer = await client.post(SPEECH, json=BODY)
    assert answer.status_code in (400, 422) and "input" in answer.json()["error"]["message"]
    answer = await client.post(SPEECH, json={**BODY, "input": "Hello.", "voice": "nobody"})
    assert answer.status_code == 400 and answer.json()["error"]["code"] == "unknown_voice"
    assert (await client.get("/nothing")).status_code == 404
    assert (await client.get("/readyz")).json() == {"status": "ready"}


async def test_nobody_is_refused_while_a_slot_is_free(cluster: Cluster, client: httpx.AsyncClient) -> None:
    """All slots but one are held: requests are spoken one after the other; with none, they are refused."""
    async with AsyncExitStack() as stack:
        held = [await stack.enter_async_context(connect(sockets(cluster))) for _ in range(2 * SLOTS)]
        for socket in held:
            await hold(socket)
        async with asyncio.timeout(30):
            answers = await asyncio.gather(
                *(client.post(SPEECH, json={**BODY, "input": TEXT}) for _ in range(4))
            )
        assert {answer.status_code for answer in answers} == {503}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers)
        assert await finish(held[-1]) == "done"
        for _ in range(6):  # wherever Serve sends them first
            assert (await client.post(SPEECH, json={**BODY, "input": TEXT})).status_code == 200
        assert [await finish(socket) for socket in held[:-1]] == ["done"] * (2 * SLOTS - 1)


async def test_a_voice_of_one_is_a_voice_of_all(cluster: Cluster, client: httpx.AsyncClient) -> None:
    """The moment it is stored, each replica speaks with it; once deleted, none does."""
    sound = io.BytesIO()
    tone = np.sin(np.arange(24_000) * (2 * np.pi * 220 / 24_000)).astype(np.float32)
    soundfile.write(sound, 0.3 * tone, 24_000, format="WAV")
    form = {"name": "ada", "consent": "I agree."}
    stored = await client.post("/v1/audio/voices", data=form, files={"audio": sound.getvalue()})
    assert stored.status_code == 201
    before = await cluster.figures("moss_frames_total")
    asked = [client.post(SPEECH, json={**BODY, "input": TEXT, "voice": "ada"}) for _ in range(6)]
    assert {answer.status_code for answer in await asyncio.gather(*asked)} == {200}
    after = await cluster.figures("moss_frames_total")
    assert all(after[name] > before[name] for name in after)
    assert (await client.delete("/v1/audio/voices/ada")).status_code == 204


async def test_replicas_give_way_to_no_other_process(cluster: Cluster) -> None:
    """Ray would have them wait for whatever else a machine does; speech could not."""
    await cluster.until("moss_streams_active", lambda each: len(each) == 2)
    assert max(each.nice() for each in replicas()) <= psutil.Process().nice()


async def test_a_replica_that_dies_takes_its_own_clients_along(
    cluster: Cluster, client: httpx.AsyncClient
) -> None:
    """They hear of it within two seconds and may connect again; the others go on; another replica comes."""
    names = set(await cluster.figures("moss_streams_active"))
    async with AsyncExitStack() as stack:
        held: list[ClientConnection] = []
        while not all((counts := await cluster.figures("moss_streams_active")).values()):
            held.append(await stack.enter_async_context(connect(sockets(cluster))))
            await hold(held[-1])
        victim = replicas()[0]
        victim.kill()

        async def ended(socket: ClientConnection) -> bool:
            """Whether the socket was closed within the time that clients are promised."""
            with suppress(TimeoutError):
                async with asyncio.timeout(2.0):
                    await socket.wait_closed()
                return True
            return False

        closed = await asyncio.gather(*map(ended, held))
        assert sum(closed) in counts.values() and len(held) == sum(counts.values())
        cut = [socket for socket, is_closed in zip(held, closed, strict=True) if is_closed]
        assert {socket.close_code for socket in cut} == {GONE}
        others = [socket for socket, is_closed in zip(held, closed, strict=True) if not is_closed]
        assert others and {await finish(socket) for socket in others} == {"done"}
    assert (await client.post(SPEECH, json={**BODY, "input": TEXT})).status_code == 200
    now = await cluster.until("moss_streams_active", lambda each: len(each) == 2)
    assert len(set(now) - names) == 1


async def test_an_update_drains(cluster: Cluster, client: httpx.AsyncClient) -> None:
    """What is spoken ends whole, by the replicas that began it; new requests find the new ones."""
    before = set(await cluster.figures("moss_streams_active"))
    text = LONG[:4000]
    async with client.stream("POST", SPEECH, json={**BODY, "input": text}) as answer:
        parts = answer.aiter_bytes()
        count = len(await anext(parts))
        await asyncio.to_thread(cluster.deploy, num_cpus=0.4)
        async for part in parts:
            count += len(part)
    assert count > 60 * 48_000  # cut off, it would be some seconds
    after = await cluster.until("moss_streams_active", lambda each: len(each) == 2 and not before & set(each))
    assert not before & set(after)


async def test_replicas_follow_the_slots_in_use(cluster: Cluster) -> None:
    """One, then two while both slots of the first are held, then one again."""
    few = {"target_use": 0.5, "upscale_delay_s": 0.5, "downscale_delay_s": 1.0, "min_replicas": 1}
    await asyncio.to_thread(cluster.deploy, **few)
    await cluster.until("moss_streams_active", lambda each: len(each) == 1)
    async with connect(sockets(cluster)) as first, connect(sockets(cluster)) as second:
        await hold(first)
        await hold(second)
        await cluster.until("moss_streams_active", lambda each: len(each) == 2)
        assert [await finish(first), await finish(second)] == ["done", "done"]
    await cluster.until("moss_streams_active", lambda each: len(each) == 1)


def test_the_command(tmp_path: Path) -> None:
    """`serve --ray` says where it listens, speaks, and stops when it is asked to."""
    command = [str(Path(sys.executable).with_name("moss-stream")), "serve", "--ray", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdout is not None
        line = next(line for line in process.stdout if "http://" in line)
        address = next(word for word in line.split() if word.startswith("http://"))
        answer = httpx.post(address + SPEECH, json={**BODY, "input": TEXT}, timeout=60)
        assert answer.status_code == 200 and len(answer.content) > 48_000
        children = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        assert process.wait(60) == 0
    _, left = psutil.wait_procs(children, 30)
    assert not left
