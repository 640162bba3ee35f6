"""`POST /tts/bytes` and `POST /tts/sse`, in the shape of Cartesia's: one text, spoken while it is made."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from moss_stream.formats.output import AudioEncoder
from moss_stream.server.cartesia import events
from moss_stream.server.cartesia.shapes import GenerationRequest
from moss_stream.server.http.answers import Begun, StreamedAnswer, begin, encoded
from moss_stream.server.http.problems import Problem, as_problem
from moss_stream.server.state import State, state_of

__all__ = ["router"]

router = APIRouter(responses={"4XX": {"model": events.CartesiaError}, "5XX": {"model": events.CartesiaError}})

RAW_TYPE = "application/octet-stream"
"""Of what has no header."""


@router.post("/tts/bytes", response_class=StreamingResponse)
async def tts_bytes(request: Request, body: GenerationRequest) -> StreamingResponse:
    """Speak a text; the first bytes leave with the first frame."""
    state, wanted = state_of(request.app), body.audio()
    begun = await _begin(state, request, body)
    media_type = RAW_TYPE if wanted.container == "raw" else wanted.media_type
    return StreamedAnswer(encoded(begun.chunks, state.encoder(wanted)), media_type, begun, state)


@router.post("/tts/sse", response_class=StreamingResponse)
async def tts_sse(request: Request, body: GenerationRequest) -> StreamingResponse:
    """Speak a text; audio and times of words come as events."""
    state, wanted = state_of(request.app), body.audio()
    if wanted.container != "raw":
        raise Problem(400, "unsupported_format", "Events need the container raw.", "output_format")
    begun = await _begin(state, request, body)
    told = _told(begun, state.encoder(wanted), wanted.speed, bool(body.add_timestamps))
    return StreamedAnswer(_lines(told, body.context_id), "text/event-stream", begun, state)


async def _begin(state: State, request: Request, body: GenerationRequest) -> Begun:
    key = state.access.key(request.headers)
    return await begin(state, key, body.transcript, await body.voice_in(state), body.options())


async def _told(
    begun: Begun, encoder: AudioEncoder, speed: float, is_timed: bool
) -> AsyncIterator[dict[str, Any]]:
    num_words = 0
    try:
        async for chunk in begun.chunks:
            if data := encoder.feed(chunk.pcm):
                yield events.chunk(data)
            words = begun.stream.words
            if is_timed and len(words) > num_words:
                yield events.timestamps(words[num_words:], speed)
                num_words = len(words)
        if data := encoder.end():
            yield events.chunk(data)
        yield events.done()
    except Exception as error:
        yield events.error(as_problem(error))


async def _lines(told: AsyncIterator[dict[str, Any]], context: str | None) -> AsyncIterator[str]:
    about = {} if context is None else {"context_id": context}
    async for event in told:
        yield f"event: {event['type']}\ndata: {json.dumps({**event, **about})}\n\n"
