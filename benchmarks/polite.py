"""Good requests through every door of a server, each read to its end."""

from __future__ import annotations

import io
import json
import random
import wave
from typing import Any

import httpx
from websockets.asyncio.client import connect

from moss_stream.cli.listeners import TEXTS

__all__ = ["polite"]

CODE = f"Like this: ```py\n{'x = 1' * 20}\n``` and **no more**."


async def polite(client: httpx.AsyncClient, address: str, choose: random.Random) -> tuple[str, str]:
    """Send a good request; return its door, and the status or the code that it ended with."""
    kind = choose.random()
    text = choose.choice([*TEXTS, "Yes.", CODE])
    if kind < 0.5:
        encoding = choose.choice(["pcm", "wav", "mp3", "opus", "flac", "aac"])
        return await _post(client, "/v1/audio/speech", {"input": text, "response_format": encoding})
    if kind < 0.6:
        return "/v1/audio/voices", await _voice(client, choose)
    if kind < 0.8:
        return "/v1/speak", await _speak(address, text, choose)
    wav = {"container": "wav", "encoding": "pcm_s16le", "sample_rate": 24_000}
    return await _post(client, "/tts/bytes", {"transcript": text, "output_format": wav})


async def _post(client: httpx.AsyncClient, door: str, content: dict[str, Any]) -> tuple[str, str]:
    return door, str((await client.post(door, json=content)).status_code)


async def _voice(client: httpx.AsyncClient, choose: random.Random) -> str:
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(16_000)
        recording.writeframes(choose.randbytes(2 * 16_000 * choose.randrange(1, 10)))
    content = {"name": f"polite{choose.randrange(10**9)}", "consent": "yes"}
    answer = await client.post("/v1/audio/voices", data=content, files={"audio": file.getvalue()})
    if answer.is_success:
        await client.delete(f"/v1/audio/voices/{content['name']}")
    return str(answer.status_code)


async def _speak(address: str, text: str, choose: random.Random) -> str:
    async with connect(address.replace("http", "ws") + "/v1/speak") as socket:
        await socket.send(json.dumps({"type": "start"}))
        for word in text.split(" "):
            await socket.send(json.dumps({"type": "text", "text": word + " "}))
        await socket.send(json.dumps({"type": choose.choice(["end", "end", "cancel"])}))
        async for message in socket:
            if isinstance(message, str) and (kind := json.loads(message)["type"]) in (
                "done",
                "cancelled",
                "error",
            ):
                return str(kind)
    return "closed"
