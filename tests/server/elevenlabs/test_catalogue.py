from __future__ import annotations

import numpy as np
from fakes import FakeEngine
from web import served

from moss_stream import Voice

KEY = {"xi-api-key": "any"}


async def test_voices_are_listed_as_these_clients_read_them() -> None:
    """In both versions; one by one, too."""
    engine = FakeEngine(voices={"anna": Voice(np.zeros((9, 4), np.int64), "anna", "Low.")})
    async with served(engine) as (client, _):
        (voice,) = (await client.get("/v1/voices")).json()["voices"]
        page = (await client.get("/v2/voices?page_size=10")).json()
        one = await client.get("/v1/voices/anna")
        none = await client.get("/v1/voices/nobody", headers=KEY)
    assert voice["voice_id"] == voice["name"] == "anna" and voice["category"] == "premade"
    assert page["voices"] == [voice] and not page["has_more"] and page["total_count"] == 1
    assert one.json() == voice
    assert none.status_code == 404 and none.json()["detail"]["status"] == "voice_not_found"


async def test_models_are_a_list_for_those_who_name_their_key_so() -> None:
    """OpenAI's clients, at the same address, get theirs."""
    async with served() as (client, _):
        (model,) = (await client.get("/v1/models", headers=KEY)).json()
        theirs = (await client.get("/v1/models", headers={"authorization": "Bearer any"})).json()
    assert model["model_id"] == "moss-stream" and model["can_do_text_to_speech"]
    assert {"language_id": "en", "name": "English"} in model["languages"]
    assert theirs["object"] == "list"
