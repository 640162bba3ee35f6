"""Web pages that are none of the server's."""

from __future__ import annotations

import pytest
from web import served
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

EVIL = "https://evil.example"
KEY = "a-long-secret-key"


async def test_pages_of_other_origins_are_refused() -> None:
    """What a browser sends without asking first does not get in: forms, uploads, sockets."""
    async with served(origins=("https://here.example",)) as (client, _):
        own = str(client.base_url).rstrip("/")
        for origin, wanted in (
            (EVIL, 403),
            ("null", 403),
            ("http://[", 403),
            (own, 200),
            ("https://here.example", 200),
        ):
            answer = await client.get("/v1/audio/voices", headers={"Origin": origin})
            assert answer.status_code == wanted, origin
            if wanted == 403:
                assert answer.json()["error"]["code"] == "wrong_origin"
        url = own.replace("http", "ws") + "/v1/speak"
        with pytest.raises(InvalidStatus, match="403"):
            await connect(url, origin=Origin(EVIL))
        async with connect(url, origin=Origin(own)):
            pass


async def test_a_name_that_was_made_to_mean_this_machine_does_not_help() -> None:
    """A local server without keys answers to names of loopback only; one with keys or an open one to any."""
    for settings, wanted in (({}, 403), ({"api_keys": (KEY,)}, 200), ({"is_open": True}, 200)):
        async with served(**settings) as (client, _):
            headers = {"Host": "evil.example", "Origin": "http://evil.example", "X-API-Key": KEY}
            answer = await client.get("/v1/audio/voices", headers=headers)
            assert answer.status_code == wanted
            assert (await client.get("/healthz", headers={"Host": "["})).status_code == wanted
            for host in ("localhost:1", "127.0.0.1", "[::1]:8000"):
                assert (await client.get("/healthz", headers={"Host": host})).status_code == 200
