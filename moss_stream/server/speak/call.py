"""One WebRTC call: audio over the media track, the messages of `WS /v1/speak` over a data channel."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaBlackhole

from moss_stream.adapters.webrtc import WebRTCSink
from moss_stream.audio import AudioChunk
from moss_stream.formats.pcm import Encoding
from moss_stream.quote import MAX_QUOTE, brief
from moss_stream.server.http.problems import Problem
from moss_stream.server.speak.message_handler import MessageHandler
from moss_stream.server.state import State

__all__ = ["Call"]

INBOX = 256
"""Messages that may wait; a client that sends more without pause is hung up on."""
MAX_UNREAD = 1 << 20
"""Bytes of messages that the peer has not taken; they are small, so it reads none of them."""


class Call:
    """A peer that listens, and may speak: what it sends is taken and dropped.

    Args:
        state: Of the server.
        key: Of the client.
    """

    def __init__(self, state: State, key: str) -> None:
        self._settings = state.settings
        # No servers: nothing outside is asked for an address.
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._output = _Track(WebRTCSink())
        self._handler = MessageHandler(state, key, "call", self._send, self._output)
        self._microphone = MediaBlackhole()
        self._channel: Any = None
        self._inbox: asyncio.Queue[str | None] = asyncio.Queue(INBOX)
        self._peer.on("datachannel", self._on_channel)
        self._peer.on("track", self._microphone.addTrack)
        self._peer.on("connectionstatechange", self._on_state)

    async def answer(self, offer: str) -> str:
        """Return the answer to an offer, both in SDP, with all candidates.

        Raises:
            Problem: The offer cannot be read, or has no audio.
        """
        try:
            await self._peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        except Exception as error:  # the parser raises whatever comes
            raise Problem(
                400, "invalid_sdp", f"The offer cannot be read ({brief(str(error), MAX_QUOTE)}).", "sdp"
            ) from error
        if not any(transceiver.kind == "audio" for transceiver in self._peer.getTransceivers()):
            raise Problem(400, "no_audio", "The offer has no audio. Add a transceiver for it.", "sdp")
        self._peer.addTrack(self._output.sink.track)
        await self._microphone.start()
        await self._peer.setLocalDescription(await self._peer.createAnswer())
        return str(self._peer.localDescription.sdp)

    async def serve(self) -> None:
        """Carry out messages until the peer has gone, is idle for too long, or has used up its time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.total_s):
                await self._serve()

    async def aclose(self) -> None:
        """Hang up."""
        await self._handler.aclose()
        await self._microphone.stop()
        await self._output.sink.aclose()
        await self._peer.close()

    async def _serve(self) -> None:
        while True:
            spoken_s = self._output.sink.position_s
            try:
                text = await asyncio.wait_for(self._inbox.get(), self._settings.idle_s)
            except TimeoutError:
                if spoken_s == self._output.sink.position_s:  # nothing was said meanwhile, by nobody
                    return
                continue
            if text is None:
                return
            await self._handler.take(text)

    def _on_channel(self, channel: Any) -> None:
        self._channel = channel
        channel.on("message", self._on_message)
        channel.on("close", self._hang_up)

    def _on_message(self, message: str | bytes) -> None:
        text = message if isinstance(message, str) else ""
        if self._inbox.full() or len(message) > self._settings.max_message_bytes:
            self._hang_up()
        else:
            self._inbox.put_nowait(text)

    def _on_state(self) -> None:
        if self._peer.connectionState in ("failed", "closed"):
            self._hang_up()

    def _hang_up(self) -> None:
        if self._inbox.full():
            self._inbox.get_nowait()
        self._inbox.put_nowait(None)

    async def _send(self, text: str) -> None:
        if self._channel is None or self._channel.readyState != "open":
            return
        if self._channel.bufferedAmount > MAX_UNREAD:
            self._hang_up()
        else:
            self._channel.send(text)


class _Track:
    """The streams of a call on its one track: each is heard to its end before the next one."""

    def __init__(self, sink: WebRTCSink) -> None:
        self.sink = sink
        self._free = asyncio.Lock()
        self._stream: int | None = None
        self._start_s = 0.0

    async def play(self, stream: int, generation: int, chunk: AudioChunk, encoding: Encoding) -> None:
        """See `Output`; a track has its own encoding."""
        if self._stream != stream:
            await self._free.acquire()
            self._stream, self._start_s = stream, self.sink.position_s
        await self.sink.write(chunk)

    async def drain(self, stream: int) -> float | None:
        if self._stream != stream:
            return 0.0
        await self.sink.flush()
        played_s = self.played_s(stream)
        self._release()
        return played_s

    def played_s(self, stream: int) -> float | None:
        return self.sink.position_s - self._start_s if self._stream == stream else 0.0

    async def clear(self, stream: int) -> None:
        if self._stream == stream:
            await self.sink.clear()
            self._release()

    def _release(self) -> None:
        self._stream = None
        self._free.release()
