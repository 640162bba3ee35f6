from __future__ import annotations

import contextlib
import json

import pytest
from fakes import FakeEngine
from web import served
from websockets.asyncio.client import connect

from moss_stream import EngineOptions
from moss_stream.server.access import Access
from moss_stream.server.http.problems import Problem
from moss_stream.server.settings import ServerSettings
from moss_stream.wire import unpack

KEYS = ("first-secret", "second-secret")


def test_each_key_opens() -> None:
    """In either header, or in the query of a socket."""
    access = Access(ServerSettings(api_keys=KEYS))
    assert access.key({"authorization": "Bearer second-secret"}) == "second-secret"
    assert access.key({"authorization": "bearer first-secret"}) == "first-secret"
    assert access.key({"x-api-key": "first-secret"}) == "first-secret"
    assert access.key({}, {"api_key": "first-secret"}) == "first-secret"
    assert Access(ServerSettings()).key({}) == ""


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Basic first-secret"}, {"x-api-key": "f\u00fcrst"}]
)
def test_nothing_else_opens(headers: dict[str, str]) -> None:
    """What is no key, in whatever letters, is 401."""
    with pytest.raises(Problem, match="valid API key") as caught:
        Access(ServerSettings(api_keys=KEYS)).key(headers)
    assert caught.value.status == 401


def test_a_key_has_so_many_streams() -> None:
    """One too many is 429; a stream that is over makes room, also when it failed."""
    access = Access(ServerSettings(api_keys=KEYS, streams_per_key=2))
    with access.stream("a"), access.stream("a"):
        with pytest.raises(Problem) as caught, access.stream("a"):
            pass
        assert caught.value.status == 429
        with access.stream("b"):
            pass
    with pytest.raises(ZeroDivisionError), access.stream("a"):
        raise ZeroDivisionError
    with access.stream("a"), access.stream("a"):
        pass


def test_keys_share_what_the_engine_can_speak() -> None:
    """Each of several keys may have as many streams as there are slots, or what is said; one alone, any."""
    for keys, per_key, wanted in ((KEYS, None, 16), (KEYS, 20, 20), (KEYS[:1], None, None), ((), None, None)):
        access = Access(ServerSettings(api_keys=keys, streams_per_key=per_key), max_streams=16)
        with contextlib.ExitStack() as streams:
            for _ in range(wanted or 100):
                streams.enter_context(access.stream("a"))
            if wanted is not None:
                with pytest.raises(Problem) as caught:
                    streams.enter_context(access.stream("a"))
                assert caught.value.retry_after_s is not None


async def test_no_slot_stays_free_while_a_key_asks() -> None:
    """Sixteen slots are sixteen streams, whatever the keys."""
    engine = FakeEngine(frames_per_segment=10**6, max_streams=16)
    options = EngineOptions(max_streams=16, max_lead_ms=80)
    for keys in ((), KEYS[:1], KEYS):
        async with served(engine, options, api_keys=keys) as (client, synth):
            url = str(client.base_url).replace("http", "ws") + "/v1/speak?api_key=first-secret"
            async with connect(url, compression=None) as socket:
                for number in range(16):
                    await socket.send(json.dumps({"type": "start", "stream": number}))
                    await socket.send(json.dumps({"type": "text", "stream": number, "text": "Hello."}))
                    await socket.send(json.dumps({"type": "flush", "stream": number}))
                heard = set[int]()
                while len(heard) < 16:
                    message = await socket.recv()
                    if isinstance(message, bytes):
                        heard.add(unpack(message).stream)
                    else:
                        assert json.loads(message)["type"] != "error"
                assert synth.metrics.active == 16
