"""Speech as the answer to a request: streamed, and stopped when nobody listens any more."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from fastapi.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from moss_stream import AudioChunk, SynthesisOptions, SynthesisStream
from moss_stream.formats.output import AudioEncoder
from moss_stream.server.http.client_lag import ClientLag
from moss_stream.server.http.problems import Problem
from moss_stream.server.logs import log_stream
from moss_stream.server.state import State
from moss_stream.text.turn import TurnState

__all__ = ["Begun", "StreamedAnswer", "begin", "begin_stream", "encoded"]

logger = logging.getLogger("moss_stream.server")


@dataclass(frozen=True)
class Begun:
    """A stream whose first frame is there."""

    text: str
    stream: SynthesisStream
    chunks: AsyncIterator[AudioChunk]
    """All of them, the first one included."""
    kept: AsyncExitStack
    """Frees everything."""


async def begin(state: State, key: str, text: str, voice: str | None, options: SynthesisOptions) -> Begun:
    """Begin to speak a text; what goes wrong up to the first frame is a status, not a broken recording.

    Raises:
        Problem: The text is too long, there is no such voice, or the key has too many streams.
        MossError: The text cannot be spoken, or not now.
    """

    async def make() -> SynthesisStream:
        return state.synth.stream(text, voice=await state.voice(voice), options=options)

    return await begin_stream(state, key, text, make)


async def begin_stream(
    state: State, key: str, text: str, make: Callable[[], Awaitable[SynthesisStream]]
) -> Begun:
    """Begin any stream; see `begin`.

    Args:
        state: Of the application.
        key: Whose stream it is.
        text: What it is made from.
        make: Makes it, once there is a place for it.
    """
    most = state.settings.max_text_chars
    if len(text) > most:
        message = f"The text has {len(text)} characters; {most} are allowed."
        raise Problem(400, "text_too_long", message, "input")
    async with AsyncExitStack() as stack:
        stack.enter_context(state.access.stream(key))
        stream = await stack.enter_async_context(await make())
        chunks = aiter(stream)
        first = await anext(chunks)
        return Begun(text, stream, _joined(first, chunks), stack.pop_all())


async def _joined(first: AudioChunk, rest: AsyncIterator[AudioChunk]) -> AsyncIterator[AudioChunk]:
    yield first
    async for chunk in rest:
        yield chunk


async def encoded(chunks: AsyncIterator[AudioChunk], encoder: AudioEncoder) -> AsyncIterator[bytes]:
    """Yield the bytes of chunks as soon as they can be sent."""
    async for chunk in chunks:
        if data := encoder.feed(chunk.pcm):
            yield data
    if data := encoder.end():
        yield data


class StreamedAnswer(StreamingResponse):
    """Stops the model however it ends, also if the client was gone before it began, or does not read.

    Args:
        content: What is sent.
        media_type: Of it.
        begun: What it is made from.
        state: Of the server.
    """

    def __init__(
        self,
        content: AsyncIterator[bytes] | AsyncIterator[str],
        media_type: str,
        begun: Begun,
        state: State,
    ) -> None:
        super().__init__(content, media_type=media_type)
        self._begun = begun
        self._settings = state.settings
        self._reader = ClientLag(state)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""

        async def patient(message: Message) -> None:
            async with self._reader.reads():
                await send(message)

        try:
            async with self._begun.kept, asyncio.timeout(self._settings.total_s):
                await super().__call__(scope, receive, patient)
        except TimeoutError:  # the connection is closed, since the answer is not complete
            logger.warning("A client did not read, or took too long; its stream was stopped.")
        finally:
            stream = self._begun.stream
            end = "done" if stream.state is TurnState.DONE else "cancelled"
            log_stream(self._settings, "http", end, stream.metrics, self._begun.text)
