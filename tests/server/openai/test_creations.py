from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fakes import AbleFake, FakeEngine
from web import served

from moss_stream import Voice
from moss_stream.text.message import Message

DIALOGUE, SOUNDS = "/v1/audio/dialogue", "/v1/audio/sounds"


def messages(engine: FakeEngine) -> list[Message]:
    return [each for kind, each in engine.log if kind == "begin" and isinstance(each, Message)]


@pytest.mark.parametrize(
    "given",
    [
        {"input": "[S1] Hello. [S2] Hi!"},
        {"lines": [{"speaker": "S1", "text": "Hello."}, {"speaker": "S2", "text": "Hi!"}]},
    ],
)
async def test_a_dialogue(given: dict[str, Any]) -> None:
    """As text with tags, or as lines; each speaker with a voice of the server."""
    voices = {"Anna": Voice(np.full((2, 4), 5), "Anna"), "Bob": Voice(np.full((2, 4), 6), "Bob")}
    engine = AbleFake(frames_per_segment=2, voices=voices)
    async with served(engine) as (client, _):
        body = {**given, "voices": {"S2": "Bob", "S1": "Anna"}, "response_format": "pcm"}
        answer = await client.post(DIALOGUE, json=body)
    assert answer.status_code == 200 and len(answer.content) == 4 * 3840
    last = messages(engine)[-1]
    assert last.text == "[S1]Hello.[S2]Hi!"
    assert [codes[0, 0] for codes in last.reference or () if codes is not None] == [5, 6]


async def test_a_sound() -> None:
    """In any format that speech has."""
    engine = AbleFake(frames_per_segment=5)
    async with served(engine) as (client, _):
        body = {"description": "rain on a roof", "seconds": 0.4, "response_format": "wav"}
        answer = await client.post(SOUNDS, json=body)
    assert answer.status_code == 200 and answer.headers["content-type"] == "audio/wav"
    assert answer.content[:4] == b"RIFF" and messages(engine)[0].ambient_sound == "rain on a roof"


@pytest.mark.parametrize(
    ("path", "body", "wanted"),
    [
        (DIALOGUE, {"input": "[S1] Hi.", "voices": {"S9": None}}, "S9"),
        (DIALOGUE, {"input": "[S1] Hi.", "voices": {"S1": "nobody"}}, "no voice 'nobody'"),
        (DIALOGUE, {"lines": [{"speaker": "Anna", "text": "Hi."}]}, "speaker"),
        (DIALOGUE, {"lines": [{"speaker": "S1", "text": "[S2] Hi."}]}, "tag of a speaker"),
        (DIALOGUE, {"input": "[S1] Hi. [S2] Ho.", "voices": {"S1": None}}, "a line of S2"),
        (DIALOGUE, {"input": "x" * 100_001}, "characters"),
        (SOUNDS, {"description": ""}, "description"),
        (SOUNDS, {"description": "rain", "seconds": 1000}, "seconds"),
    ],
)
async def test_bad_requests(path: str, body: dict[str, Any], wanted: str) -> None:
    """A sentence each, and the server goes on."""
    async with served(AbleFake()) as (client, _):
        answer = await client.post(path, json=body)
        assert answer.status_code == 400 and wanted in answer.json()["error"]["message"]
        assert (await client.post(SOUNDS, json={"description": "rain"})).status_code == 200


async def test_a_model_that_was_trained_for_neither() -> None:
    """Says so, with the model that was."""
    async with served(FakeEngine()) as (client, _):
        for path, body in ((DIALOGUE, {"input": "[S1] Hi."}), (SOUNDS, {"description": "rain"})):
            answer = await client.post(path, json=body)
            assert answer.status_code == 400 and "Load MOSS-" in answer.json()["error"]["message"]
