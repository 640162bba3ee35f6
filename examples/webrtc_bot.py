"""A voice bot on WebRTC: what is typed into the call's data channel is spoken back.

    python examples/webrtc_bot.py 8010

Offers go to /offer. Every text on the data channel is answered aloud; a new one interrupts the old answer,
and the bot writes back what was heard of it. Put your language model into `reply`.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import uvicorn
from aiortc import RTCPeerConnection, RTCSessionDescription
from fastapi import FastAPI
from moss_stream.adapters.webrtc import WebRTCSink

from moss_stream import Playback, StreamingSynthesizer, play

app = FastAPI()


def reply(text: str) -> str:
    """Return the answer; an asynchronous iterator of pieces would do as well."""
    return f"You said: {text}. Is there anything else?"


@app.post("/offer")
async def answer(offer: dict[str, str]) -> dict[str, str]:
    """Take a call."""
    peer, sink, talk = RTCPeerConnection(), WebRTCSink(), app.state.synth.conversation()
    playing: Playback | None = None

    async def on_text(channel: Any, text: str) -> None:
        nonlocal playing
        if playing is not None and (spoken := await playing.interrupt()) is not None:
            channel.send(f"heard: {spoken.text}")
        playing = play(talk.stream(reply(text)), sink)

    async def on_state() -> None:
        if peer.connectionState in ("closed", "failed") and playing is not None:
            await playing.interrupt()

    peer.on("connectionstatechange", on_state)
    peer.on("datachannel", lambda channel: channel.on("message", lambda text: on_text(channel, text)))
    await peer.setRemoteDescription(RTCSessionDescription(**offer))
    peer.addTrack(sink.track)
    await peer.setLocalDescription(await peer.createAnswer())
    return {"type": "answer", "sdp": peer.localDescription.sdp}


async def main(port: int) -> None:
    """Serve on loopback."""
    async with await StreamingSynthesizer.load() as app.state.synth:
        await uvicorn.Server(uvicorn.Config(app, port=port)).serve()


asyncio.run(main(int(sys.argv[1])))
