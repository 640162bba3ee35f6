"""A client of each protocol that the server speaks: says a text, hears PCM at 24 kHz."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
from websockets.asyncio.client import connect

__all__ = ["WAYS", "Address", "Hear"]

Hear = Callable[[int], None]
"""Is told how many bytes of audio have come."""
Message = dict[str, Any]

VOICE = "JBFqnCBsd6RMkjVDRZzb"
RAW = {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 24_000}
PCM = "output_format=pcm_24000"
LINEAR = "model=aura-2-thalia-en&encoding=linear16&sample_rate=24000"


class Address:
    """Where a server is.

    Args:
        http: Its URL.
        wyoming: Its port for Home Assistant.
        client: For requests; connections are kept.
    """

    def __init__(self, http: str, wyoming: int, client: httpx.AsyncClient) -> None:
        self.http, self.wyoming, self.client = http, wyoming, client
        self.ws = http.replace("http", "ws", 1)


async def _post(address: Address, path: str, body: Message, hear: Hear) -> None:
    async with address.client.stream("POST", path, json=body) as answer:
        answer.raise_for_status()
        async for data in answer.aiter_raw():
            hear(len(data))


async def _talk(address: Address, path: str, orders: list[Message]) -> AsyncIterator[bytes | Message]:
    async with connect(address.ws + path, compression=None) as socket:
        for order in orders:
            await socket.send(json.dumps(order))
        async for message in socket:
            yield message if isinstance(message, bytes) else json.loads(message)


async def openai(address: Address, text: str, hear: Hear) -> None:
    """`POST /v1/audio/speech`."""
    await _post(address, "/v1/audio/speech", {"input": text, "response_format": "pcm"}, hear)


async def speak(address: Address, text: str, hear: Hear) -> None:
    """`WS /v1/speak`."""
    orders = [{"type": "start"}, {"type": "text", "text": text}, {"type": "end"}]
    async for message in _talk(address, "/v1/speak", orders):
        if isinstance(message, bytes):
            hear(len(message) - 20)
        elif message["type"] in ("done", "error"):
            return


async def cartesia_bytes(address: Address, text: str, hear: Hear) -> None:
    """`POST /tts/bytes`."""
    await _post(address, "/tts/bytes", {"transcript": text, "output_format": RAW}, hear)


async def cartesia_sse(address: Address, text: str, hear: Hear) -> None:
    """`POST /tts/sse`."""
    body = {"transcript": text, "output_format": RAW}
    async with address.client.stream("POST", "/tts/sse", json=body) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data:") and "data" in (event := json.loads(line[5:])):
                hear(len(base64.b64decode(event["data"])))


async def cartesia_socket(address: Address, text: str, hear: Hear) -> None:
    """`WS /tts/websocket`."""
    order = {"context_id": "c", "transcript": text, "continue": False, "output_format": RAW}
    async for message in _talk(address, "/tts/websocket", [order]):
        assert not isinstance(message, bytes)
        if "data" in message:
            hear(len(base64.b64decode(message["data"])))
        elif message["done"]:
            return


async def elevenlabs(address: Address, text: str, hear: Hear) -> None:
    """`POST /v1/text-to-speech/{voice}/stream`."""
    await _post(address, f"/v1/text-to-speech/{VOICE}/stream?{PCM}", {"text": text}, hear)


async def elevenlabs_socket(address: Address, text: str, hear: Hear) -> None:
    """`WS …/stream-input`."""
    orders = [{"text": " "}, {"text": text}, {"text": ""}]
    async for message in _talk(address, f"/v1/text-to-speech/{VOICE}/stream-input?{PCM}", orders):
        assert not isinstance(message, bytes)
        if message.get("audio"):
            hear(len(base64.b64decode(message["audio"])))


async def elevenlabs_contexts(address: Address, text: str, hear: Hear) -> None:
    """`WS …/multi-stream-input`."""
    orders = [{"text": text, "context_id": "c", "flush": True}, {"context_id": "c", "close_context": True}]
    async for message in _talk(address, f"/v1/text-to-speech/{VOICE}/multi-stream-input?{PCM}", orders):
        assert not isinstance(message, bytes)
        if message.get("isFinal") or "error" in message:
            return
        hear(len(base64.b64decode(message["audio"])))


async def deepgram(address: Address, text: str, hear: Hear) -> None:
    """`POST /v1/speak`."""
    await _post(address, f"/v1/speak?{LINEAR}&container=none", {"text": text}, hear)


async def deepgram_socket(address: Address, text: str, hear: Hear) -> None:
    """`WS /v1/speak` of Deepgram's clients."""
    orders = [{"type": "Speak", "text": text}, {"type": "Flush"}]
    async for message in _talk(address, f"/v1/speak?{LINEAR}", orders):
        if isinstance(message, bytes):
            hear(len(message))
        elif message["type"] in ("Flushed", "Error"):
            return


async def wyoming(address: Address, text: str, hear: Hear) -> None:
    """Wyoming's `synthesize`."""
    reader, writer = await asyncio.open_connection("127.0.0.1", address.wyoming)
    writer.write(json.dumps({"type": "synthesize", "data": {"text": text}}).encode() + b"\n")
    kind = ""
    while kind != "audio-stop":
        header = json.loads(await reader.readline())
        kind = header["type"]
        await reader.readexactly(header.get("data_length", 0))
        hear(len(await reader.readexactly(header.get("payload_length", 0))))
    writer.close()
    await writer.wait_closed()


WAYS: dict[str, Callable[[Address, str, Hear], Awaitable[None]]] = {
    "POST /v1/audio/speech": openai,
    "WS /v1/speak": speak,
    "POST /tts/bytes": cartesia_bytes,
    "POST /tts/sse": cartesia_sse,
    "WS /tts/websocket": cartesia_socket,
    "POST /v1/text-to-speech": elevenlabs,
    "WS stream-input": elevenlabs_socket,
    "WS multi-stream-input": elevenlabs_contexts,
    "POST /v1/speak": deepgram,
    "WS /v1/speak (Deepgram)": deepgram_socket,
    "Wyoming": wyoming,
}
"""By the names of their endpoints."""
