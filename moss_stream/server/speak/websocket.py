"""`WS /v1/speak`: our own protocol, described in docs/protocol.md."""

from __future__ import annotations

from fastapi import APIRouter, WebSocket

from moss_stream.audio import AudioChunk
from moss_stream.formats.pcm import Encoding
from moss_stream.server.sockets import Socket, accepted
from moss_stream.server.speak.message_handler import MessageHandler
from moss_stream.wire import pack

__all__ = ["router"]

router = APIRouter()


@router.websocket("/v1/speak")
async def speak(socket: WebSocket) -> None:
    """Serve one connection."""
    if (found := await accepted(socket)) is None:
        return
    state, key = found
    connection = Socket(socket, state)
    handler = MessageHandler(state, key, "socket", connection.send, _Binary(connection))
    try:
        await connection.serve(handler.take, lambda: handler.is_idle)
    finally:
        await handler.aclose()


class _Binary:
    """Audio as binary messages between the others."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket

    async def play(self, stream: int, generation: int, chunk: AudioChunk, encoding: Encoding) -> None:
        await self._socket.send(pack(chunk, stream, generation, encoding))

    async def drain(self, stream: int) -> float | None:
        return None  # it is sent in order with the messages

    def played_s(self, stream: int) -> float | None:
        return None

    async def clear(self, stream: int) -> None:
        """What was sent cannot be recalled: it has an old generation."""
