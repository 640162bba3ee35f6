"""The messages of our own protocol on any transport: orders in, messages and audio out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from pydantic import ValidationError

from moss_stream.audio import AudioChunk
from moss_stream.errors import MossError
from moss_stream.formats.pcm import Encoding
from moss_stream.quote import MAX_QUOTE, brief, complaint
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
from moss_stream.server.speak.messages import (
    FROM_CLIENT,
    Cancel,
    CancelledMessage,
    ClientMessage,
    DoneMessage,
    End,
    ErrorMessage,
    Flush,
    FlushedMessage,
    Played,
    ServerMessage,
    SpeedMessage,
    Start,
    StartedMessage,
    Text,
    WordsMessage,
)
from moss_stream.server.state import State
from moss_stream.sinks.rates import RateConverter

__all__ = ["MessageHandler", "Output"]


REMEMBERED = 1024
"""Streams whose generation is kept; of one that was cancelled so many others ago nothing is on its way."""


class Output(Protocol):
    """Where the audio of a connection goes. Streams go by the numbers that the client gave them."""

    async def play(self, stream: int, generation: int, chunk: AudioChunk, encoding: Encoding) -> None:
        """Send a chunk, in an encoding where that can be chosen; may wait, which halts its stream."""

    async def drain(self, stream: int) -> float | None:
        """Wait until all audio of a stream is sent; return what `played_s` would."""

    def played_s(self, stream: int) -> float | None:
        """Return the seconds of a stream that were played; None if only the client can say."""

    async def clear(self, stream: int) -> None:
        """Drop the audio of a stream that is not sent yet."""


class MessageHandler:
    """What the messages of one connection mean.

    Args:
        state: Of the server.
        key: Of the client.
        via: The way it came, for the log.
        send: Sends a text message; may wait.
        output: Takes the audio.
    """

    def __init__(
        self, state: State, key: str, via: str, send: Callable[[str], Awaitable[None]], output: Output
    ) -> None:
        self._info = state.synth.info
        self._send_text = send
        self._output = output
        self._generations: dict[str, int] = {}
        self._formats: dict[str, _Format] = {}
        self._session = Session(state, key, via, self._emit)

    @property
    def is_idle(self) -> bool:
        """Whether no stream is open."""
        return self._session.is_idle

    async def aclose(self) -> None:
        """Stop all streams; nobody listens any more."""
        await self._session.aclose()

    async def take(self, text: str) -> None:
        """Carry out a message of the client; what cannot be carried out is answered with an error."""
        try:
            order = FROM_CLIENT.validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = brief(".".join(str(part) for part in first["loc"]) or "message", MAX_QUOTE)
            problem = Problem(400, "invalid_message", f"{where}: {complaint(first)}.")
            await self._send(_error(None, problem))
            return
        try:
            await self._carry_out(order, str(order.stream))
        except (Problem, MossError) as error:
            await self._send(_error(order.stream, as_problem(error)))

    async def _carry_out(self, order: ClientMessage, name: str) -> None:
        match order:
            case Start():
                await self._session.open(name, order.voice, order.options())
                self._formats[name] = self._format(order)  # before its first event: nothing was awaited since
            case Text():
                self._session.push(name, order.text, order.end)
            case Flush():
                self._session.flush(name)
            case End():
                self._session.end(name)
            case Cancel():
                self._note_played(name, self._output.played_s(order.stream))
                await self._session.cancel(name)
            case Played():
                self._session.played(name, order.seconds)

    async def _emit(self, event: Event) -> None:
        """Tell the client; waits while it is slow."""
        generation = self._generations.get(event.id, 0)
        match event:
            case AudioPart(id=name, chunk=chunk):
                form = self._formats[name]
                await self._play(name, generation, form.converter.convert(chunk), form.encoding)
            case Started(id=name, expected_rtf=rtf):
                await self._send(self._formats[name].started(int(name), rtf))
            case SpeedChange(id=name, expected_rtf=rtf):
                await self._send(SpeedMessage(stream=int(name), expected_rtf=rtf))
            case Words(id=name, words=words):
                await self._send(WordsMessage(stream=int(name), words=words))
            case Flushed(id=name):
                await self._send(FlushedMessage(stream=int(name)))
            case Done(id=name, metrics=metrics):
                form = self._formats.pop(name)
                await self._play(name, generation, form.converter.rest(), form.encoding)
                await self._drain(name)
                await self._send(DoneMessage(stream=int(name), metrics=metrics))
            case Cancelled(id=name, spoken=spoken):
                self._formats.pop(name, None)
                self._begin_generation(name, generation + 1)
                await self._output.clear(int(name))
                await self._send(CancelledMessage(stream=int(name), generation=generation + 1, spoken=spoken))
            case Failed(id=name, problem=problem):
                self._formats.pop(name, None)
                await self._drain(name)
                await self._send(_error(int(name), problem))

    def _begin_generation(self, name: str, generation: int) -> None:
        self._generations.pop(name, None)
        self._generations[name] = generation
        if len(self._generations) > REMEMBERED:
            del self._generations[next(iter(self._generations))]

    async def _play(self, name: str, generation: int, chunks: list[AudioChunk], encoding: Encoding) -> None:
        for chunk in chunks:
            await self._output.play(int(name), generation, chunk, encoding)
        self._note_played(name, self._output.played_s(int(name)))

    async def _drain(self, name: str) -> None:
        self._note_played(name, await self._output.drain(int(name)))

    def _note_played(self, name: str, seconds: float | None) -> None:
        if seconds is not None:
            self._session.played(name, seconds)

    def _format(self, wanted: Start) -> _Format:
        """Return how a stream is sent: as the model makes it, but for what the client asked."""
        rate = wanted.sample_rate or self._info.sample_rate
        channels = min(wanted.channels, self._info.channels)
        return _Format(rate, channels, wanted.encoding, RateConverter(rate, channels))

    async def _send(self, message: ServerMessage) -> None:
        # Clients that were written for mono get what they always got.
        usual: set[str] = set()
        if isinstance(message, StartedMessage):
            usual |= {"channels"} if message.channels == 1 else set()
            usual |= {"encoding"} if message.encoding == "pcm_s16le" else set()
        await self._send_text(message.model_dump_json(exclude=usual))


@dataclass(frozen=True, slots=True)
class _Format:
    """How the audio of a stream is sent."""

    sample_rate: int
    channels: int
    encoding: Encoding
    converter: RateConverter

    def started(self, stream: int, rtf: float | None) -> StartedMessage:
        return StartedMessage(
            stream=stream,
            sample_rate=self.sample_rate,
            channels=self.channels,
            encoding=self.encoding,
            expected_rtf=rtf,
        )


def _error(stream: int | None, problem: Problem) -> ErrorMessage:
    return ErrorMessage(
        stream=stream, code=problem.code, message=str(problem), retry_after_s=problem.retry_after_s
    )
