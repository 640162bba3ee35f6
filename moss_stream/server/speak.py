"""`WS /v1/speak`: our own protocol, described in docs/protocol.md."""

from __future__ import annotations

from fastapi import APIRouter, WebSocket
from pydantic import ValidationError

from moss_stream.audio import SAMPLE_RATE_HZ
from moss_stream.errors import MossError
from moss_stream.server.messages import (
    FROM_CLIENT,
    Cancel,
    CancelledMessage,
    ClientMessage,
    DoneMessage,
    End,
    ErrorMessage,
    Flush,
    Played,
    ServerMessage,
    Start,
    StartedMessage,
    Text,
    WordsMessage,
)
from moss_stream.server.problems import Problem, as_problem
from moss_stream.server.session import Audio, Cancelled, Done, Event, Failed, Session, Started, Words
from moss_stream.server.sockets import Socket, accepted
from moss_stream.server.state import State
from moss_stream.wire import pack

__all__ = ["router"]

router = APIRouter()


@router.websocket("/v1/speak")
async def speak(socket: WebSocket) -> None:
    """Serve one connection."""
    if (found := await accepted(socket)) is not None:
        state, key = found
        await _Connection(Socket(socket, state.settings), state, key).serve()


class _Connection:
    """What the messages of one socket mean."""

    def __init__(self, socket: Socket, state: State, key: str) -> None:
        self._socket = socket
        self._generations: dict[str, int] = {}
        self._session = Session(state, key, self._emit)

    async def serve(self) -> None:
        try:
            await self._socket.serve(self._order, lambda: self._session.num_streams > 0)
        finally:
            await self._session.aclose()

    async def _order(self, text: str) -> None:
        try:
            order = FROM_CLIENT.validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "message"
            message = f"{where}: {first['msg']}."
            await self._send(ErrorMessage(stream=None, code="invalid_message", message=message))
            return
        try:
            await self._carry_out(order, str(order.stream))
        except (Problem, MossError) as error:
            problem = as_problem(error)
            await self._send(ErrorMessage(stream=order.stream, code=problem.code, message=str(problem)))

    async def _carry_out(self, order: ClientMessage, name: str) -> None:
        match order:
            case Start():
                await self._session.open(name, order.voice, order.options())
            case Text():
                self._session.push(name, order.text)
            case Flush():
                self._session.flush(name)
            case End():
                self._session.end(name)
            case Cancel():
                await self._session.cancel(name)
            case Played():
                self._session.played(name, order.seconds)

    async def _emit(self, event: Event) -> None:
        """Queue an event; waits while the client is slow."""
        generation = self._generations.get(event.id or "", 0)
        match event:
            case Audio(id=name, chunk=chunk):
                await self._socket.send(pack(chunk, int(name), generation))
            case Started(id=name):
                await self._send(StartedMessage(stream=int(name), sample_rate=SAMPLE_RATE_HZ))
            case Words(id=name, words=words):
                await self._send(WordsMessage(stream=int(name), words=words))
            case Done(id=name, metrics=metrics):
                await self._send(DoneMessage(stream=int(name), metrics=metrics))
            case Cancelled(id=name, spoken=spoken):
                self._generations[name] = generation + 1
                await self._send(CancelledMessage(stream=int(name), generation=generation + 1, spoken=spoken))
            case Failed(id=failed, problem=problem):
                stream = None if failed is None else int(failed)
                await self._send(ErrorMessage(stream=stream, code=problem.code, message=str(problem)))

    async def _send(self, message: ServerMessage) -> None:
        await self._socket.send(message.model_dump_json())
