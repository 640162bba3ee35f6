"""Talk to `moss-stream serve` over its WebSocket, and keep what it says.

    moss-stream serve &
    python examples/websocket_client.py ws://127.0.0.1:8000/v1/speak "What to say."

Writes said.wav. docs/protocol.md describes the messages.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from websockets.asyncio.client import connect

from moss_stream import AudioChunk, WavSink
from moss_stream.audio import FRAME_S
from moss_stream.wire import unpack


async def main(address: str, text: str) -> None:
    """Send the text word by word; write the audio as it comes."""
    sink = WavSink("said.wav")
    async with connect(address, compression=None) as socket:

        async def send(kind: str, **content: Any) -> None:
            await socket.send(json.dumps({"type": kind, "stream": 1, **content}))

        rate, channels = 0, 1
        await send("start", channels=2)
        for word in text.split(" "):
            await send("text", text=word + " ")
        await send("end")
        async for message in socket:
            if isinstance(message, bytes):
                packet = unpack(message)
                start_s = packet.start_ms / 1000
                chunk = AudioChunk(packet.pcm, rate, 0, start_s, FRAME_S, channels=channels)
                await sink.write(chunk)
                await send("played", seconds=start_s)
                print(text[packet.char_start : packet.char_end], end="", flush=True)
                continue
            answer = json.loads(message)
            if answer["type"] == "started":
                rate, channels = answer["sample_rate"], answer.get("channels", 1)
            if answer["type"] in ("done", "error"):
                print(f"\n{answer['type']}: {answer.get('message', '')}")
                break
    await sink.aclose()


asyncio.run(main(sys.argv[1], sys.argv[2]))
