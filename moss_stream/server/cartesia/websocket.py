"""`WS /tts/websocket`, in the shape of Cartesia's: Pipecat's and LiveKit's clients speak it as they are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, WebSocket
from pydantic import ValidationError

from moss_stream.errors import MossError
from moss_stream.formats.output import AudioEncoder
from moss_stream.quote import MAX_QUOTE, brief, complaint
from moss_stream.server.cartesia import events
from moss_stream.server.cartesia.shapes import Order
from moss_stream.server.http.problems import Problem, as_problem
from moss_stream.server.session import (
    AudioPart,
    Cancelled,
    Done,
    Event,
    Failed,
    Flushed,
    Session,
    SpeedChange,
    Started,
    Words,
)
from moss_stream.server.sockets import Socket, accepted
from moss_stream.server.state import State

__all__ = ["router"]

router = APIRouter()


@router.websocket("/tts/websocket")
async def cartesia(socket: WebSocket) -> None:
    """Serve one connection."""
    if (found := await accepted(socket)) is not None:
        state, key = found
        await _Connection(Socket(socket, state), state, key).serve()


@dataclass(slots=True)
class _Context:
    """How the client wants the audio of a stream."""

    encoder: AudioEncoder
    speed: float
    is_timed: bool
    flushes: int = 0


class _Connection:
    """What the messages of one socket mean. A context is a stream; clients keep a socket for many of them."""

    def __init__(self, socket: Socket, state: State, key: str) -> None:
        self._socket = socket
        self._state = state
        self._session = Session(state, key, "cartesia", self._emit)
        self._contexts: dict[str, _Context] = {}

    async def serve(self) -> None:
        try:
            await self._socket.serve(self._order, lambda: self._session.is_idle)
        finally:
            await self._session.aclose()

    async def _order(self, text: str) -> None:
        try:
            order = Order.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = brief(".".join(str(part) for part in first["loc"]) or "message", MAX_QUOTE)
            problem = Problem(400, "invalid_message", f"{where}: {complaint(first)}.")
            await self._say(None, events.error(problem))
            return
        try:
            await self._carry_out(order, order.context_id or "")
        except (Problem, MossError) as error:
            await self._say(order.context_id or "", events.error(as_problem(error)))

    async def _carry_out(self, order: Order, name: str) -> None:
        if order.cancel:
            await self._session.cancel(name)
            return
        if not self._session.has(name):
            if not order.transcript.strip() and not order.goes_on:
                await self._say(name, events.done())  # nothing was said, and nothing will be
                return
            await self._open(order, name)
        is_last = not order.goes_on and not order.flush
        if order.transcript:
            self._session.push(name, order.transcript, is_last)
            if is_last:
                return
        if order.flush:
            self._session.flush(name)
        if not order.goes_on:
            self._session.end(name)

    async def _open(self, order: Order, name: str) -> None:
        wanted = order.audio()
        if wanted.container != "raw":
            message = "A socket needs the container raw. Ask /tts/bytes for files."
            raise Problem(400, "unsupported_format", message, "output_format")
        await self._session.open(name, await order.voice_in(self._state), order.options(), wanted.speed)
        encoder = self._state.encoder(wanted)
        self._contexts[name] = _Context(encoder, wanted.speed, bool(order.add_timestamps))

    async def _emit(self, event: Event) -> None:
        match event:
            case AudioPart(id=name, chunk=chunk):
                await self._chunk(name, self._contexts[name].encoder.feed(chunk.pcm))
            case Words(id=name, words=words) if self._contexts[name].is_timed:
                await self._say(name, events.timestamps(words, self._contexts[name].speed))
            case Flushed(id=name):
                self._contexts[name].flushes += 1
                await self._say(name, events.flush_done(self._contexts[name].flushes))
            case Done(id=name):
                await self._chunk(name, self._contexts.pop(name).encoder.end())
                await self._say(name, events.done())
            case Cancelled(id=name):
                if self._contexts.pop(name, None) is not None:  # otherwise its end was told already
                    await self._say(name, events.done())
            case Failed(id=name, problem=problem):
                self._contexts.pop(name, None)
                await self._say(name, events.error(problem))
            case Started() | SpeedChange() | Words():
                pass

    async def _chunk(self, name: str, data: bytes) -> None:
        if data:
            await self._say(name, events.chunk(data))

    async def _say(self, name: str | None, event: dict[str, Any]) -> None:
        """Tell the client, of a context unless what it sent named none."""
        about = {} if name is None else {"context_id": name}
        await self._socket.send(json.dumps({**event, **about}))
