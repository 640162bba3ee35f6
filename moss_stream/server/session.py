"""Streams of one connection, whatever protocol it speaks: text and orders in, events out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from moss_stream import AudioChunk, Spoken, SynthesisOptions, Word
from moss_stream.metrics import StreamMetrics
from moss_stream.quote import quoted
from moss_stream.server.http.problems import Problem, as_problem
from moss_stream.server.logs import log_stream
from moss_stream.server.open_stream import END, FLUSH, Last, OpenStream, weight
from moss_stream.server.state import State
from moss_stream.wire import is_news

__all__ = [
    "AudioPart",
    "Cancelled",
    "Done",
    "Event",
    "Failed",
    "Flushed",
    "Session",
    "SpeedChange",
    "Started",
    "Words",
]


@dataclass(frozen=True, slots=True)
class Started:
    """A stream was opened."""

    id: str
    expected_rtf: float | None


@dataclass(frozen=True, slots=True)
class SpeedChange:
    """The machine has become slower or faster than was told."""

    id: str
    expected_rtf: float


@dataclass(frozen=True, slots=True)
class AudioPart:
    """A chunk of a stream."""

    id: str
    chunk: AudioChunk


@dataclass(frozen=True, slots=True)
class Words:
    """Words whose times are known now."""

    id: str
    words: list[Word]


@dataclass(frozen=True, slots=True)
class Flushed:
    """All audio of what was flushed was sent."""

    id: str


@dataclass(frozen=True, slots=True)
class Done:
    """A stream came to its end."""

    id: str
    metrics: StreamMetrics


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A stream was stopped."""

    id: str
    spoken: Spoken


@dataclass(frozen=True, slots=True)
class Failed:
    """A stream has failed."""

    id: str
    problem: Problem


Event = Started | SpeedChange | AudioPart | Words | Flushed | Done | Cancelled | Failed
Emit = Callable[[Event], Awaitable[None]]

REMEMBERED = 8
"""Streams that are made but perhaps not heard, and can still be cancelled."""


class Session:
    """The streams of a connection, by the names that the client gives them.

    Args:
        state: Of the server.
        key: Whose streams these are.
        via: The way they come, for the log.
        emit: Sends an event to the client; may wait, which halts the stream it belongs to.
    """

    def __init__(self, state: State, key: str, via: str, emit: Emit) -> None:
        self._state = state
        self._key = key
        self._via = via
        self._emit = emit
        self._streams: dict[str, OpenStream] = {}
        self._made: dict[str, OpenStream] = {}

    @property
    def is_idle(self) -> bool:
        """Whether no stream is open."""
        return not self._streams

    def has(self, name: str) -> bool:
        """Tell whether a stream of that name is not over."""
        return name in self._streams

    async def open(self, name: str, voice: str | None, options: SynthesisOptions, speed: float = 1.0) -> None:
        """Open a stream; at another `speed` the client plays its audio in less time, or in more.

        Raises:
            Problem: The name is in use, there is no such voice, or the key has too many streams.
            MossError: The options cannot be carried out.
        """
        made = self._made.get(name)
        if name in self._streams or (made is not None and made.is_heard_of):
            raise Problem(409, "stream_exists", f"A stream {quoted(name)} is open. End or cancel it first.")
        found = await self._state.voice(voice)
        self._made.pop(name, None)
        with contextlib.ExitStack() as permit:
            permit.enter_context(self._state.access.stream(self._key))
            stream = self._state.synth.stream(voice=found, options=options)
            held = self._streams[name] = OpenStream(stream, speed)
            held.permit = permit.pop_all()
        held.hearing = asyncio.create_task(self._speak(name, held))

    def push(self, name: str, text: str, is_last: bool = False) -> None:
        """Give text to a stream; if no more follows, and none came before, it is always spoken alike.

        Raises:
            Problem: There is no such stream, too much text waits in it, or it has had too much.
        """
        self._give(name, Last(text) if is_last else text)

    def flush(self, name: str) -> None:
        """Speak what a stream has, now. Raises what `push` raises."""
        self._give(name, FLUSH)

    def end(self, name: str) -> None:
        """Say that a stream gets no more text. Raises what `push` raises."""
        self._give(name, END)

    def _give(self, name: str, order: object) -> None:
        held, settings = self._found(name), self._state.settings
        if order is END:  # needs no room, and is the way out of a stream that has none
            if not held.has_ended:
                held.has_ended = True
                held.give(order)
            return
        if held.num_waiting + weight(order) > settings.max_text_chars:
            raise Problem(
                429, "text_too_long", f"{settings.max_text_chars} characters may wait. Send the rest later."
            )
        # What is never read out, such as code, does not wait; it is kept all the same, to say what was heard.
        if held.num_written + weight(order) > settings.max_turn_chars:
            raise Problem(
                400,
                "turn_too_long",
                f"A stream takes {settings.max_turn_chars} characters in all. End it, and start another.",
            )
        held.give(order)
        held.has_ended = held.has_ended or isinstance(order, Last)
        if isinstance(order, str):
            held.num_chars += len(order)
            held.texts += [order] if settings.logs_texts else []

    async def cancel(self, name: str) -> None:
        """Stop a stream. One that is made, and perhaps not heard yet, is told of all the same."""
        if (held := self._streams.pop(name, None)) is not None:
            await self._emit(Cancelled(name, await self._stop(held)))
        elif (made := self._made.pop(name, None)) is not None:
            await self._emit(Cancelled(name, await made.stop()))

    def played(self, name: str, seconds: float) -> None:
        """Take the client's report of what it has played."""
        held = self._streams.get(name) or self._made.get(name)
        if held is not None:
            held.far_end.played(seconds)

    async def aclose(self) -> None:
        """Stop all streams; nobody listens any more."""
        streams, made = list(self._streams.values()), list(self._made.values())
        self._streams, self._made = {}, {}
        await asyncio.gather(*(self._stop(held) for held in streams), *(held.stop() for held in made))

    async def _stop(self, held: OpenStream) -> Spoken:
        spoken = await held.stop()
        self._log(held, "cancelled")
        return spoken

    def _log(self, held: OpenStream, end: str) -> None:
        text = "".join(held.texts)
        log_stream(self._state.settings, self._via, end, held.stream.metrics, text, held.num_chars)

    async def _speak(self, name: str, held: OpenStream) -> None:
        try:
            with held.permit:
                await self._emit(Started(name, held.expected_rtf))
                async for chunk in held.stream:
                    held.far_end.sent(chunk.duration_s)
                    await self._emit_chunk(name, held, chunk)
        except Exception as error:
            self._streams.pop(name, None)
            held.feeding.cancel()
            await held.stream.cancel()
            problem = as_problem(error)
            self._log(held, problem.code)
            await self._emit(Failed(name, problem))
            return
        if self._streams.pop(name, None) is not None and (metrics := held.stream.metrics) is not None:
            held.feeding.cancel()
            self._log(held, "done")
            self._remember(name, held)
            await self._emit(Done(name, metrics))

    def _remember(self, name: str, held: OpenStream) -> None:
        self._made[name] = held
        if len(self._made) > REMEMBERED:
            del self._made[next(iter(self._made))]

    async def _emit_chunk(self, name: str, held: OpenStream, chunk: AudioChunk) -> None:
        if chunk.pcm:
            if is_news(held.expected_rtf, chunk.rtf):
                held.expected_rtf = chunk.rtf
                await self._emit(SpeedChange(name, chunk.rtf))
            await self._emit(AudioPart(name, chunk))
        words = held.stream.words
        if len(words) > held.num_words:
            fresh, held.num_words = words[held.num_words :], len(words)
            await self._emit(Words(name, fresh))
        if chunk.is_flush:
            await self._emit(Flushed(name))

    def _found(self, name: str) -> OpenStream:
        held = self._streams.get(name)
        if held is None:
            raise Problem(404, "no_such_stream", f"There is no open stream {quoted(name)}. Start it first.")
        return held
