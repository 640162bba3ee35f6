"""Who hears a call: a peer in Python, and a page in a real browser."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from benchmarks.browser import opened

__all__ = ["Caller", "Heard", "heard_in_chromium"]

Message = dict[str, Any]


class Caller:
    """The far end of a call: hears everything, and talks over a data channel."""

    def __init__(self) -> None:
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.channel = self.peer.createDataChannel("moss")
        self.texts: asyncio.Queue[str] = asyncio.Queue()
        self.heard: list[npt.NDArray[np.int16]] = []
        """The left channel."""
        self.right: list[npt.NDArray[np.int16]] = []
        self.stamps: list[int] = []
        self.is_open = asyncio.Event()
        self.is_over = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.channel.on("open", self.is_open.set)
        self.channel.on("message", self.texts.put_nowait)
        self.channel.on("close", self.is_over.set)
        self.peer.on("track", lambda track: self._tasks.append(asyncio.create_task(self._hear(track))))

    async def call(
        self, client: httpx.AsyncClient, direction: str = "recvonly", path: str = "/webrtc/offer"
    ) -> None:
        """Get through to a server."""
        self.peer.addTransceiver("audio", direction=direction)
        await self.peer.setLocalDescription(await self.peer.createOffer())
        answer = await client.post(path, json={"type": "offer", "sdp": self.peer.localDescription.sdp})
        assert answer.status_code == 200, answer.text
        await self.peer.setRemoteDescription(RTCSessionDescription(answer.json()["sdp"], "answer"))
        await self.is_open.wait()

    def send(self, kind: str, **content: Any) -> None:
        """Send a message."""
        self.channel.send(json.dumps({"type": kind, **content}))

    def say(self, text: str, **content: Any) -> None:
        """Have a text spoken."""
        self.send("start", **content)
        self.send("text", text=text, **content)
        self.send("end", **content)

    async def until(self, kind: str) -> Message:
        """Return the next message of a kind."""
        while (message := json.loads(await self.texts.get()))["type"] != kind:
            pass
        return dict(message)

    @property
    def samples(self) -> npt.NDArray[np.int16]:
        """Everything that was heard, at 48 kHz."""
        return np.concatenate(self.heard)

    async def _hear(self, track: Any) -> None:
        while True:
            frame = await track.recv()
            self.stamps.append(frame.pts)
            samples = frame.to_ndarray().reshape(-1, len(frame.layout.channels))
            self.heard.append(samples[:, 0])
            self.right.append(samples[:, -1])

    async def aclose(self) -> None:
        """Hang up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.peer.close()


@dataclass
class Heard:
    """What a browser heard of a text."""

    samples: npt.NDArray[np.int16]
    """At 48 kHz."""
    packets_lost: int
    concealments: int
    """How often its jitter buffer had nothing to play while something should have been heard."""


async def heard_in_chromium(url: str, text: str) -> Heard:
    """Let a page of the server at `url` call it, and hear a text to its end."""
    script = (Path(__file__).parent / "far_end.js").read_text(encoding="utf-8")
    async with opened(url) as (page, _):
        heard = await page.evaluate(script, text)
    samples = np.frombuffer(base64.b64decode(heard["pcm"]), dtype="<i2")
    return Heard(samples, heard["packetsLost"], heard["concealments"])
