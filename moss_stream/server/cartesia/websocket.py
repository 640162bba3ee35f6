"""`WS /tts/websocket`, in the shape of Cartesia's: Pipecat's and LiveKit's clients speak it as they are."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, WebSocket
from pydantic import ValidationError

from moss_stream import Word
from moss_stream.errors import MossError
from moss_stream.formats.output import AudioEncoder, AudioFormat
from moss_stream.quote import MAX_QUOTE, brief, complaint
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

    audio: AudioEncoder
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
            await self._error("", Problem(400, "invalid_message", f"{where}: {complaint(first)}."))
            return
        try:
            await self._carry_out(order, order.context_id)
        except (Problem, MossError) as error:
            await self._error(order.context_id, as_problem(error))

    async def _carry_out(self, order: Order, name: str) -> None:
        if order.cancel:
            await self._session.cancel(name)
            return
        if not self._session.has(name):
            if not order.transcript.strip() and not order.goes_on:
                await self._say(name, "done", 200, done=True)  # nothing was said, and nothing will be
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
        await self._session.open(name, order.voice_in(self._state), order.options())
        wanted = order.output_format
        audio = self._state.encoder(AudioFormat("raw", wanted.encoding, wanted.sample_rate))
        self._contexts[name] = _Context(audio, order.add_timestamps)

    async def _emit(self, event: Event) -> None:
        match event:
            case AudioPart(id=name, chunk=chunk):
                await self._chunk(name, self._contexts[name].audio.feed(chunk.pcm))
            case Words(id=name, words=words) if self._contexts[name].is_timed:
                await self._say(name, "timestamps", 206, word_timestamps=_timestamps(words))
            case Flushed(id=name):
                self._contexts[name].flushes += 1
                await self._say(name, "flush_done", 206, flush_id=self._contexts[name].flushes)
            case Done(id=name):
                await self._chunk(name, self._contexts.pop(name).audio.end())
                await self._say(name, "done", 200, done=True)
            case Cancelled(id=name):
                if self._contexts.pop(name, None) is not None:  # otherwise its end was told already
                    await self._say(name, "done", 200, done=True)
            case Failed(id=name, problem=problem):
                self._contexts.pop(name, None)
                await self._error(name, problem)
            case Started() | SpeedChange() | Words():
                pass

    async def _chunk(self, name: str, data: bytes) -> None:
        if data:
            await self._say(name, "chunk", 206, data=base64.b64encode(data).decode(), step_time=0.0)

    async def _say(self, name: str, kind: str, status: int, done: bool = False, **content: Any) -> None:
        message = {"type": kind, "context_id": name, "status_code": status, "done": done, **content}
        await self._socket.send(json.dumps(message))

    async def _error(self, name: str, problem: Problem) -> None:
        about: dict[str, Any] = {
            "title": problem.code,
            "message": str(problem),
            "error_code": problem.code,
            "error": str(problem),
        }
        if problem.retry_after_s is not None:
            about["retry_after_s"] = problem.retry_after_s
        await self._say(name, "error", problem.status, done=True, **about)


def _timestamps(words: list[Word]) -> dict[str, list[str] | list[float]]:
    return {
        "words": [word.text for word in words],
        "start": [word.start_s for word in words],
        "end": [word.end_s for word in words],
    }
