"""What the messages of one of Deepgram's sockets mean."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from moss_stream import SynthesisOptions
from moss_stream.errors import MossError
from moss_stream.formats.output import AudioFormat
from moss_stream.quote import MAX_QUOTE, brief, complaint
from moss_stream.server.deepgram.errors import socket_error
from moss_stream.server.http.problems import Problem, as_problem
from moss_stream.server.session import AudioPart, Cancelled, Done, Event, Failed, Flushed, Session
from moss_stream.server.sockets import Socket
from moss_stream.server.state import State

__all__ = ["Speaker"]


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Speak(_Message):
    """Gives text, cut anywhere."""

    type: Literal["Speak"]
    text: str


class Demand(_Message):
    """Speak what is there; drop it; speak it and close."""

    type: Literal["Flush", "Clear", "Close"]


_MESSAGES: TypeAdapter[Speak | Demand] = TypeAdapter(Annotated[Speak | Demand, Field(discriminator="type")])


class Speaker:
    """One socket. Its audio has no names, so its texts are spoken one after the other, in one stream.

    The stream begins with the first text, and ends when it was flushed and nothing followed: between two
    answers a client holds no slot.

    Args:
        socket: Accepted.
        state: Of the server.
        key: Of the client.
        voice: With which all is spoken.
        wanted: How the audio is sent.
    """

    def __init__(
        self, socket: Socket, state: State, key: str, voice: str | None, wanted: AudioFormat
    ) -> None:
        self._socket = socket
        self._state = state
        self._voice = voice
        self._wanted = wanted
        self._session = Session(state, key, "deepgram", self._emit)
        self._stream: str | None = None
        self._encoder = state.encoder(wanted)
        self._num_streams = self._num_flushed = self._num_cleared = 0
        self._unflushed = self._flushing = 0
        self._is_closing = False

    async def serve(self) -> None:
        """Serve until one side closes."""
        model = {"model_name": "moss-stream", "model_version": "", "model_uuid": str(uuid4())}
        try:
            await self._say("Metadata", request_id=str(uuid4()), **model)
            await self._socket.serve(self._take, lambda: self._session.is_idle)
        finally:
            await self._session.aclose()

    async def _take(self, text: str) -> None:
        try:
            await self._carry_out(_message(text))
        except (Problem, MossError) as error:
            await self._fail(as_problem(error))

    async def _carry_out(self, message: Speak | Demand) -> None:
        if isinstance(message, Speak):
            await self._speak(message.text)
        elif message.type == "Flush":
            await self._flush()
        elif message.type == "Clear":
            await self._clear()
        else:
            await self._close()

    async def _speak(self, text: str) -> None:
        if not text.strip() and self._stream is None:
            return
        if self._stream is None:
            name = str(self._num_streams + 1)
            await self._session.open(name, self._voice, SynthesisOptions(), self._wanted.speed)
            self._stream, self._num_streams = name, self._num_streams + 1
            self._encoder = self._state.encoder(self._wanted)
            self._flushing = self._unflushed = 0
        self._session.push(self._stream, text)
        self._unflushed += len(text)

    async def _flush(self) -> None:
        if self._stream is None:
            await self._flushed()
            return
        self._session.flush(self._stream)
        self._flushing += 1
        self._unflushed = 0

    async def _clear(self) -> None:
        if self._stream is None:
            await self._cleared()
        else:
            await self._session.cancel(self._stream)

    async def _close(self) -> None:
        self._is_closing = True
        if self._stream is None:
            await self._socket.end()
        else:
            self._session.end(self._stream)

    async def _emit(self, event: Event) -> None:
        if event.id != self._stream:  # of a text that was flushed: all of it was sent
            return
        match event:
            case AudioPart(chunk=chunk):
                if data := self._encoder.feed(chunk.pcm):
                    await self._socket.send(data)
            case Flushed():
                self._flushing -= 1
                if not self._flushing and not self._unflushed:
                    self._session.end(event.id)
                    self._stream = None
                await self._drain()
                await self._flushed()
            case Done():
                self._stream = None
                await self._drain()
                await self._finish()
            case Cancelled():
                self._stream = None
                await self._cleared()
            case Failed(problem=problem):
                self._stream = None
                await self._fail(problem)
                await self._finish()

    async def _drain(self) -> None:
        """Send what the encoder holds back; what follows is a sound of its own."""
        if data := self._encoder.end():
            await self._socket.send(data)
        self._encoder = self._state.encoder(self._wanted)

    async def _finish(self) -> None:
        if self._flushing:
            await self._flushed()
        if self._is_closing:
            await self._socket.end()

    async def _flushed(self) -> None:
        await self._say("Flushed", sequence_id=self._num_flushed)
        self._num_flushed += 1

    async def _cleared(self) -> None:
        await self._say("Cleared", sequence_id=self._num_cleared)
        self._num_cleared += 1

    async def _fail(self, problem: Problem) -> None:
        await self._socket.send(json.dumps(socket_error(problem)))

    async def _say(self, kind: str, **content: Any) -> None:
        await self._socket.send(json.dumps({"type": kind, **content}))


def _message(text: str) -> Speak | Demand:
    try:
        return _MESSAGES.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = brief(".".join(str(part) for part in first["loc"]) or "message", MAX_QUOTE)
        raise Problem(400, "invalid_message", f"{where}: {complaint(first)}.") from error
