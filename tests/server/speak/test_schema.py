from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from fakes import FakeEngine
from web import served
from websockets.asyncio.client import connect

from moss_stream.server.speak.schema import protocol_schema

DOCS = Path(__file__).parents[3] / "docs"


def is_valid(message: dict[str, Any], side: str) -> bool:
    schema = {**protocol_schema(), "anyOf": [{"$ref": f"#/$defs/{side}"}]}
    return bool(jsonschema.Draft202012Validator(schema).is_valid(message))


def test_the_document_has_the_schema_of_the_models() -> None:
    """It is written anew with `python -m moss_stream.server.speak.schema > docs/protocol.schema.json`."""
    assert json.loads((DOCS / "protocol.schema.json").read_text(encoding="utf-8")) == protocol_schema()


def test_every_message_is_described() -> None:
    """The document for people names all that the schema has."""
    text = (DOCS / "protocol.md").read_text(encoding="utf-8")
    for definition in protocol_schema()["$defs"].values():
        if kind := definition.get("properties", {}).get("type", {}).get("const"):
            assert f"| `{kind}` |" in text, kind


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        ({"type": "start", "stream": 3, "voice": "slt"}, True),
        ({"type": "text", "text": "Hello."}, True),
        ({"type": "text"}, False),
        ({"type": "start", "stream": -1}, False),
        ({"type": "sing"}, False),
    ],
)
def test_messages_of_a_client(message: dict[str, Any], wanted: bool) -> None:
    """The schema says what the server takes."""
    assert is_valid(message, "FromClient") is wanted


async def test_messages_of_the_server() -> None:
    """What it really sends is what the schema says."""
    kinds = set()
    async with served(FakeEngine(frames_per_segment=2)) as (client, _):
        async with connect(str(client.base_url).replace("http", "ws") + "/v1/speak") as socket:
            orders = [{"type": "start"}, {"type": "text", "text": "Hello."}, {"type": "flush"}]
            for order in [*orders, {"type": "sing"}, {"type": "end"}]:
                await socket.send(json.dumps(order))
            while "done" not in kinds:
                answer = await socket.recv()
                if isinstance(answer, str):
                    assert is_valid(json.loads(answer), "FromServer"), answer
                    kinds.add(json.loads(answer)["type"])
            await socket.send('{"type": "cancel"}')
            answer = json.loads(await socket.recv())
            assert answer["type"] == "cancelled" and is_valid(answer, "FromServer")
    assert kinds == {"started", "error", "words", "flushed", "done"}


async def test_a_slow_machine_is_told() -> None:
    """`started` has what was measured, `speed` what has changed since, `done` what it was at the end."""
    engine = FakeEngine(frames_per_segment=30, frame_costs_s={1: 0.104})
    async with served(engine) as (client, _):
        async with connect(str(client.base_url).replace("http", "ws") + "/v1/speak") as socket:
            for order in ({"type": "start"}, {"type": "text", "text": "Hello."}, {"type": "end"}):
                await socket.send(json.dumps(order))
            told: dict[str, Any] = {}
            while "done" not in told:
                if isinstance(answer := await socket.recv(), str):
                    assert is_valid(json.loads(answer), "FromServer"), answer
                    told[json.loads(answer)["type"]] = json.loads(answer)
    assert told["started"]["expected_rtf"] == pytest.approx(1.3)
    assert told["speed"]["expected_rtf"] < 1.0, "the fake does not take the time that it says"
    assert told["done"]["metrics"]["expected_rtf"] < 1.0
