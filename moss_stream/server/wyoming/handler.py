"""What the events of one connection mean."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from moss_stream import SynthesisOptions
from moss_stream.config import Language
from moss_stream.errors import MossError
from moss_stream.formats.output import AudioEncoder, AudioFormat
from moss_stream.languages import language_name
from moss_stream.quote import MAX_QUOTE, brief, complaint
from moss_stream.server.access import OPEN
from moss_stream.server.http.client_lag import ClientLag
from moss_stream.server.http.problems import Problem, as_problem
from moss_stream.server.session import AudioPart, Done, Event, Failed, Session
from moss_stream.server.state import State
from moss_stream.server.wyoming.frames import WyomingEvent, pack_event
from moss_stream.server.wyoming.info import describe

__all__ = ["Handler"]


class _Data(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class WyomingVoice(_Data):
    """Which voice is wanted."""

    name: Annotated[str, Field(max_length=100)] | None = None
    language: Language | None = None


class Synthesize(_Data):
    """A text, or a piece of one, and how."""

    text: str = ""
    voice: WyomingVoice | None = None


class Handler:
    """One connection: a text after the other, whole or piece by piece.

    Args:
        state: Of the server.
        writer: To the client.
    """

    def __init__(self, state: State, writer: asyncio.StreamWriter) -> None:
        self._state = state
        self._writer = writer
        self._lag = ClientLag(state)
        self._session = Session(state, OPEN, "wyoming", self._emit)
        self._over = asyncio.Event()
        self._over.set()
        self._encoder: AudioEncoder | None = None
        self._num_texts = 0
        self._is_streaming = self._is_begun = self._has_audio = False
        self.num_sent = 0
        """Events that the client has taken."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is spoken."""
        return self._session.is_idle

    async def take(self, event: WyomingEvent) -> None:
        """Carry out an event; unknown ones are passed over, as Wyoming wants it."""
        try:
            await self._carry_out(event)
        except ValidationError as error:
            first = error.errors()[0]
            where = brief(".".join(str(part) for part in first["loc"]), MAX_QUOTE)
            await self.tell(Problem(400, "invalid_message", f"{where}: {complaint(first)}."))
        except (Problem, MossError) as error:
            await self.tell(as_problem(error))

    async def tell(self, problem: Problem) -> None:
        """Tell what is wrong."""
        await self._send("error", {"text": str(problem), "code": problem.code})

    async def aclose(self) -> None:
        """Stop what is spoken; nobody listens any more."""
        await self._session.aclose()

    async def _carry_out(self, event: WyomingEvent) -> None:
        match event.type:
            case "describe":
                await self._send("info", describe(self._state))
            case "ping":
                await self._send("pong", {"text": str(event.data.get("text", ""))[:100]})
            case "synthesize" if not self._is_begun:  # otherwise for servers that take no pieces
                await self._speak(Synthesize.model_validate(event.data))
            case "synthesize-start":
                await self._begin(Synthesize.model_validate(event.data))
            case "synthesize-chunk":
                self._push(Synthesize.model_validate(event.data).text)
            case "synthesize-stop" if self._is_begun:
                self._is_begun = False
                if not self._session.has(self._name):
                    await self._end()  # it has failed, or nothing was begun
                else:
                    self._session.end(self._name)

    @property
    def _name(self) -> str:
        return str(self._num_texts)

    async def _open(self, asked: Synthesize, is_streaming: bool) -> None:
        await self._over.wait()
        voice = asked.voice or WyomingVoice()
        options = SynthesisOptions(language=language_name(voice.language))
        self._num_texts += 1
        self._is_streaming = is_streaming
        await self._session.open(self._name, voice.name, options)
        self._encoder = self._state.encoder(AudioFormat())
        self._over.clear()

    async def _speak(self, asked: Synthesize) -> None:
        try:
            await self._open(asked, is_streaming=False)
            self._session.push(self._name, asked.text, is_last=True)
        except (Problem, MossError) as error:
            await self._session.cancel(self._name)
            await self.tell(as_problem(error))
            await self._end()

    async def _begin(self, asked: Synthesize) -> None:
        self._is_begun = True
        await self._open(asked, is_streaming=True)

    def _push(self, text: str) -> None:
        if self._is_begun and text and self._session.has(self._name):
            self._session.push(self._name, text)

    async def _emit(self, event: Event) -> None:
        match event:
            case AudioPart(chunk=chunk):
                assert self._encoder is not None
                await self._audio(self._encoder.feed(chunk.pcm))
            case Done():
                assert self._encoder is not None
                await self._audio(self._encoder.end())
                await self._end()
            case Failed(problem=problem):
                await self.tell(problem)
                if not (self._is_streaming and self._is_begun):
                    await self._end()
                self._over.set()

    async def _audio(self, data: bytes) -> None:
        if not data:
            return
        form = {"rate": self._state.synth.info.sample_rate, "width": 2, "channels": 1}
        if not self._has_audio:
            self._has_audio = True
            await self._send("audio-start", form)
        await self._send("audio-chunk", form, data)

    async def _end(self) -> None:
        """Tell that a text is over, however it went; a client would wait for it."""
        self._has_audio = False
        await self._send("audio-stop")
        if self._is_streaming:
            await self._send("synthesize-stopped")
        self._over.set()

    async def _send(self, kind: str, data: dict[str, Any] | None = None, payload: bytes = b"") -> None:
        self._writer.write(pack_event(kind, data, payload))
        async with self._lag.reads():
            await self._writer.drain()
        self.num_sent += 1
