"""What the messages of one of ElevenLabs' sockets mean. A context is a stream."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from moss_stream import SynthesisOptions
from moss_stream.errors import MossError
from moss_stream.formats.output import AudioEncoder
from moss_stream.quote import MAX_QUOTE, brief, complaint
from moss_stream.server.elevenlabs.alignment import Characters, CharacterTimes
from moss_stream.server.elevenlabs.errors import socket_error
from moss_stream.server.elevenlabs.output_format import audio_format
from moss_stream.server.elevenlabs.shapes import ContextMessage, voice_named
from moss_stream.server.http.problems import Problem, as_problem
from moss_stream.server.session import AudioPart, Cancelled, Done, Event, Failed, Session, Words
from moss_stream.server.sockets import POLICY_VIOLATION, Socket
from moss_stream.server.state import State

__all__ = ["ContextSocket", "Wishes"]

MAX_OPENED = 64
"""Contexts that were announced on one socket and have no text yet."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the address of a socket says."""

    voice: str
    output_format: str
    options: SynthesisOptions
    is_auto: bool
    """Every message is a whole sentence or phrase, and is spoken at once."""
    is_cumulative: bool
    """Times of characters count from the context's begin; otherwise from where the last ones ended."""
    is_multi: bool = False
    """The socket is for many contexts, side by side; otherwise for one, without a name."""


@dataclass(slots=True)
class _Context:
    """A context that is spoken."""

    encoder: AudioEncoder
    aligner: CharacterTimes
    told_ms: int = 0
    is_closed: bool = False


class ContextSocket:
    """One socket.

    Args:
        socket: Accepted.
        state: Of the server.
        wishes: Of the client.
        key: Of the client; None: it comes with the first message.
    """

    def __init__(self, socket: Socket, state: State, wishes: Wishes, key: str | None) -> None:
        self._socket = socket
        self._state = state
        self._wishes = wishes
        self._session = None if key is None else Session(state, key, "elevenlabs", self._emit)
        self._speeds: dict[str, float] = {}
        self._contexts: dict[str, _Context] = {}
        self._is_closing = False

    async def serve(self) -> None:
        """Serve until one side closes."""
        try:
            await self._socket.serve(self._take, lambda: not self._contexts)
        finally:
            if self._session is not None:
                await self._session.aclose()

    async def _take(self, text: str) -> None:
        context = None
        try:
            message = _message(text)
            context = message.context_id or "" if self._wishes.is_multi else ""
            await self._carry_out(message, context, self._session or self._begun(message))
        except (Problem, MossError) as error:
            await self._fail(as_problem(error), context)

    def _begun(self, message: ContextMessage) -> Session:
        headers = {"authorization": message.authorization or "", "xi-api-key": message.xi_api_key or ""}
        try:
            key = self._state.access.key(headers)
        except Problem:
            self._is_closing = True
            raise
        self._session = Session(self._state, key, "elevenlabs", self._emit)
        return self._session

    async def _carry_out(self, message: ContextMessage, name: str, session: Session) -> None:
        text = message.text or ""
        if message.close_socket:
            await self._close_all(session)
        elif message.close_context or (
            message.text == "" and not self._wishes.is_multi and not message.flush
        ):
            await self._close(name, session, text)
        elif text.strip():
            await self._speak(name, session, message, text)
        elif message.text is not None and name not in self._contexts:
            self._announce(name, message.speed)
        elif name in self._contexts and not self._contexts[name].is_closed:
            self._give(name, session, text, message.flush)

    def _announce(self, name: str, speed: float) -> None:
        """Note a context that has no text yet; it holds no slot."""
        self._speeds.setdefault(name, speed)
        if len(self._speeds) > MAX_OPENED:
            del self._speeds[next(iter(self._speeds))]

    async def _speak(self, name: str, session: Session, message: ContextMessage, text: str) -> None:
        if name not in self._contexts:
            speed = self._speeds.pop(name, message.speed)
            wanted = audio_format(self._wishes.output_format, speed)
            voice = await voice_named(self._wishes.voice, self._state)
            await session.open(name, voice, self._wishes.options, speed)
            self._contexts[name] = _Context(self._state.encoder(wanted), CharacterTimes(speed))
        self._give(name, session, text, message.flush or self._wishes.is_auto)

    def _give(self, name: str, session: Session, text: str, is_flush: bool) -> None:
        if text:
            session.push(name, text)
            self._contexts[name].aligner.write(text)
        if is_flush:
            session.flush(name)

    async def _close(self, name: str, session: Session, text: str) -> None:
        """End a context: what it has is spoken. Closed again, it is stopped: its listener has interrupted."""
        context = self._contexts.get(name)
        if context is None:
            self._speeds.pop(name, None)
            await self._finish(name)
        elif context.is_closed:
            await session.cancel(name)
        else:
            context.is_closed = True
            if text.strip():
                self._give(name, session, text, is_flush=False)
            session.end(name)

    async def _close_all(self, session: Session) -> None:
        self._is_closing = True
        for name, context in list(self._contexts.items()):
            if not context.is_closed:
                await self._close(name, session, "")
        if not self._contexts:
            await self._socket.end()

    async def _emit(self, event: Event) -> None:
        context = self._contexts.get(event.id)
        if context is None:
            return
        match event:
            case AudioPart(id=name, chunk=chunk):
                if data := context.encoder.feed(chunk.pcm):
                    await self._audio(name, data)
            case Words(id=name, words=words):
                await self._audio(name, b"", self._times(context, context.aligner.words(words)))
            case Done(id=name):
                rest = self._times(context, context.aligner.rest())
                await self._audio(name, context.encoder.end(), rest)
                await self._finish(name)
            case Cancelled(id=name):
                await self._finish(name)
            case Failed(id=name, problem=problem):
                del self._contexts[name]
                await self._fail(problem, name)

    async def _finish(self, name: str) -> None:
        self._contexts.pop(name, None)
        await self._say(name, audio=None, isFinal=True)
        if not self._wishes.is_multi or (self._is_closing and not self._contexts):
            await self._socket.end()

    async def _fail(self, problem: Problem, name: str | None) -> None:
        """Tell what is wrong; a socket for one text is over with it."""
        context = name if self._wishes.is_multi else None
        await self._socket.send(json.dumps(socket_error(problem, context)))
        if self._is_closing or not self._wishes.is_multi:
            await self._socket.end(POLICY_VIOLATION, str(problem)[:120])

    async def _audio(self, name: str, data: bytes, times: dict[str, Any] | None = None) -> None:
        nothing = {"alignment": None, "normalizedAlignment": None}
        await self._say(name, audio=base64.b64encode(data).decode(), **(times or nothing))

    async def _say(self, name: str, **content: Any) -> None:
        about = {"contextId": name} if self._wishes.is_multi else {}
        await self._socket.send(json.dumps({**content, **about}))

    def _times(self, context: _Context, characters: tuple[Characters, Characters]) -> dict[str, Any]:
        offset_ms = 0 if self._wishes.is_cumulative else context.told_ms
        context.told_ms = context.aligner.end_ms
        written, spoken = (_alignment(each, offset_ms) for each in characters)
        return {"alignment": written, "normalizedAlignment": spoken}


def _message(text: str) -> ContextMessage:
    try:
        return ContextMessage.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = brief(".".join(str(part) for part in first["loc"]) or "message", MAX_QUOTE)
        raise Problem(400, "invalid_message", f"{where}: {complaint(first)}.") from error


def _alignment(characters: Characters, offset_ms: int) -> dict[str, Any] | None:
    if not characters.chars:
        return None
    times = zip(characters.starts_ms, characters.ends_ms, strict=True)
    return {
        "chars": characters.chars,
        "charStartTimesMs": [start_ms - offset_ms for start_ms in characters.starts_ms],
        "charDurationsMs": [end_ms - start_ms for start_ms, end_ms in times],
    }
