"""Whatever is sent, the server says what is wrong, and lives."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import random
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fakes import FakeEngine
from hypothesis import HealthCheck, given, settings
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance
from web import served, served_beside
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from benchmarks.attack import Attack

HOSTILE = 400
MESSAGES = 5000
BATCH = 500
EXAMPLES = 25


def test_requests_made_from_the_openapi_document(tmp_path: Path) -> None:
    """No server error, no undocumented status, type or shape; what a schema cannot say may be refused."""
    with served_beside(voices=tmp_path / "voices", max_calls=4) as address:
        schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
        operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
        for operation in operations:

            @given(case=operation.as_strategy())
            @settings(
                max_examples=EXAMPLES,
                deadline=None,
                database=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
            )
            def requested(case: Any) -> None:
                case.call_and_validate(excluded_checks=[positive_data_acceptance])

            requested()
    assert len(operations) >= 10


async def test_hostile_values_in_every_field(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """At and past the limits of numbers, and texts that no person writes; `benchmarks.attack` sends more."""
    caplog.set_level(logging.WARNING)
    async with served(FakeEngine(frames_per_segment=1), voices=tmp_path / "voices") as (client, synth):
        made = Attack(str(client.base_url).rstrip("/"), HOSTILE, math.inf)
        await asyncio.gather(made.client(1), made.client(2))
        assert not made.failures and made.answers.total() >= HOSTILE
        while synth.metrics.active:
            await asyncio.sleep(0.01)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR or record.exc_info]


def value(choose: random.Random, depth: int = 0) -> Any:
    """Something that JSON can hold."""
    kind = choose.randrange(9 if depth < 3 else 7)
    if kind == 7:
        return [value(choose, depth + 1) for _ in range(choose.randrange(3))]
    if kind == 8:
        return {word(choose): value(choose, depth + 1) for _ in range(choose.randrange(4))}
    options = [None, True, choose.randrange(-2, 10), 10**30, -1.5, "Hello.", word(choose)]
    return options[kind]


def word(choose: random.Random) -> str:
    return choose.choice(["start", "text", "context_id", "c", "stream", "type", "\ud83d", "\0", "x" * 300])


def message(choose: random.Random, orders: list[dict[str, Any]]) -> str | bytes:
    """A good order, one with a wrong field, one cut off, or noise."""
    order = dict(choose.choice(orders))
    kind = choose.randrange(6)
    if kind == 0:
        return choose.randbytes(choose.randrange(200))
    if kind == 1:
        return choose.randbytes(choose.randrange(100)).decode("latin-1")
    if kind == 2:
        text = json.dumps(order)
        return text[: choose.randrange(len(text))]
    if kind == 3:
        return json.dumps(value(choose))
    if kind == 4:
        order[choose.choice([*order, word(choose)])] = value(choose)
    return json.dumps(order)


SPEAK = [
    {"type": "start", "stream": 1, "voice": "alloy", "n_vq": 2, "sampling": {}},
    {"type": "text", "stream": 1, "text": "Hello there. "},
    {"type": "flush", "stream": 1},
    {"type": "end", "stream": 1},
    {"type": "cancel", "stream": 1},
    {"type": "played", "stream": 1, "seconds": 0.1},
]
CARTESIA = [
    {
        "context_id": "c",
        "transcript": "Hello there. ",
        "continue": True,
        "flush": False,
        "voice": {"mode": "id", "id": "x"},
        "output_format": {"encoding": "pcm_s16le", "sample_rate": 16_000},
        "language": "en",
    },
    {"context_id": "c", "transcript": "", "continue": False},
    {"context_id": "c", "cancel": True},
]


MULTI = "/v1/text-to-speech/JBFqnCBsd6RMkjVDRZzb/multi-stream-input"
ELEVENLABS = [
    {"text": " ", "context_id": "c", "voice_settings": {"speed": 1.1}},
    {"text": "Hello there. ", "context_id": "c", "flush": True},
    {"context_id": "c", "close_context": True},
    {"text": "", "context_id": "c"},
]


DEEPGRAM = [{"type": "Speak", "text": "Hello there. "}, {"type": "Flush"}, {"type": "Clear"}]


LAST = {
    "/v1/speak?model=aura-2-thalia-en": {"type": "4242"},
    MULTI: {"context_id": "4242", "close_context": True},
    "/v1/speak": {"type": "flush", "stream": 4242},
    "/tts/websocket": {"context_id": "4242", "transcript": "", "continue": False},
}
"""Answered with their numbers, so that everything before them was read."""


async def heard_last(socket: ClientConnection) -> None:
    async for answer in socket:
        if "4242" in str(answer):
            return


@pytest.mark.parametrize(
    ("path", "orders"),
    [
        ("/v1/speak", SPEAK),
        ("/tts/websocket", CARTESIA),
        (MULTI, ELEVENLABS),
        ("/v1/speak?model=aura-2-thalia-en", DEEPGRAM),
    ],
)
async def test_messages_of_all_kinds(
    path: str, orders: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    """Five thousand of them on each socket: nothing breaks, and a good client is spoken to afterwards."""
    caplog.set_level(logging.WARNING)
    choose = random.Random(0)
    async with served(FakeEngine(frames_per_segment=2)) as (client, synth):
        url = str(client.base_url).replace("http", "ws") + path
        for _ in range(MESSAGES // BATCH):
            async with connect(url, compression=None) as socket:
                reading = asyncio.create_task(heard_last(socket))
                for _ in range(BATCH):
                    await socket.send(message(choose, orders))
                await socket.send(json.dumps(LAST[path]))
                await reading
                await socket.send(b"\xff\xfe", text=True)  # no UTF-8: the connection ends
                with pytest.raises(ConnectionClosed, match="1007"):
                    while True:
                        await socket.recv()
        while synth.metrics.active:
            await asyncio.sleep(0.01)
        answer = await client.post("/v1/audio/speech", json={"input": "Hello.", "response_format": "pcm"})
        assert answer.status_code == 200 and len(answer.content) == 2 * 3840
    blamed = [record for record in caplog.records if "Invalid UTF-8" not in record.message]
    assert not [record for record in blamed if record.levelno >= logging.ERROR or record.exc_info]
