"""`POST /v1/text-to-speech/{voice}` and its like, in the shape of ElevenLabs' endpoints."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from moss_stream.formats.output import AudioEncoder
from moss_stream.server.elevenlabs.alignment import Characters, CharacterTimes
from moss_stream.server.elevenlabs.errors import ERRORS
from moss_stream.server.elevenlabs.output_format import DEFAULT, audio_format
from moss_stream.server.elevenlabs.shapes import TextRequest, voice_named
from moss_stream.server.http.answers import Begun, StreamedAnswer, begin, encoded
from moss_stream.server.state import State, state_of

__all__ = ["router"]

router = APIRouter(prefix="/v1/text-to-speech", responses=ERRORS)

Part = tuple[bytes, tuple[Characters, Characters]]
"""Audio, and the characters whose times are new: of the text, and of the normalised text."""
OutputFormat = Annotated[str, Query(alias="output_format", max_length=100)]


@router.post("/{voice}", response_class=StreamingResponse)
@router.post("/{voice}/stream", response_class=StreamingResponse)
async def speech(
    request: Request, voice: str, body: TextRequest, output: OutputFormat = DEFAULT
) -> StreamingResponse:
    """Speak a text; the first bytes leave with the first frame."""
    state, wanted = state_of(request.app), audio_format(output, body.speed)
    begun = await _begin(state, request, voice, body)
    return StreamedAnswer(encoded(begun.chunks, state.encoder(wanted)), wanted.media_type, begun, state)


@router.post("/{voice}/stream/with-timestamps", response_class=StreamingResponse)
async def streamed_with_times(
    request: Request, voice: str, body: TextRequest, output: OutputFormat = DEFAULT
) -> StreamingResponse:
    """Speak a text, a JSON object on each line: audio, and the characters whose times are known now."""
    state, wanted = state_of(request.app), audio_format(output, body.speed)
    begun = await _begin(state, request, voice, body)
    parts = _timed(begun, state.encoder(wanted), CharacterTimes(body.speed))
    return StreamedAnswer(_lines(parts), "application/x-ndjson", begun, state)


@router.post("/{voice}/with-timestamps", response_class=StreamingResponse)
async def with_times(
    request: Request, voice: str, body: TextRequest, output: OutputFormat = DEFAULT
) -> StreamingResponse:
    """Speak a text; one JSON object holds all audio and the times of all characters."""
    state, wanted = state_of(request.app), audio_format(output, body.speed)
    begun = await _begin(state, request, voice, body)
    parts = _timed(begun, state.encoder(wanted), CharacterTimes(body.speed))
    return StreamedAnswer(_whole(parts), "application/json", begun, state)


async def _begin(state: State, request: Request, voice: str, body: TextRequest) -> Begun:
    key = state.access.key(request.headers)
    return await begin(state, key, body.text, await voice_named(voice, state), body.options())


async def _timed(begun: Begun, encoder: AudioEncoder, aligner: CharacterTimes) -> AsyncIterator[Part]:
    """Yield bytes of audio, and the characters whose times are new."""
    aligner.write(begun.text)
    num_words = 0
    async for chunk in begun.chunks:
        words = begun.stream.words
        fresh, num_words = words[num_words:], len(words)
        data = encoder.feed(chunk.pcm)
        if data or fresh:
            yield data, aligner.words(fresh)
    yield encoder.end(), aligner.rest()


async def _whole(parts: AsyncIterator[Part]) -> AsyncIterator[str]:
    audio, written, spoken = bytearray(), Characters(), Characters()
    async for data, (more_written, more_spoken) in parts:
        audio += data
        written.extend(more_written)
        spoken.extend(more_spoken)
    yield json.dumps(_part(bytes(audio), (written, spoken)))


async def _lines(parts: AsyncIterator[Part]) -> AsyncIterator[str]:
    async for data, characters in parts:
        yield json.dumps(_part(data, characters)) + "\n"


def _part(data: bytes, characters: tuple[Characters, Characters]) -> dict[str, Any]:
    written, spoken = characters
    return {
        "audio_base64": base64.b64encode(data).decode(),
        "alignment": _alignment(written),
        "normalized_alignment": _alignment(spoken),
    }


def _alignment(characters: Characters) -> dict[str, Any] | None:
    if not characters.chars:
        return None
    return {
        "characters": characters.chars,
        "character_start_times_seconds": [start_ms / 1000 for start_ms in characters.starts_ms],
        "character_end_times_seconds": [end_ms / 1000 for end_ms in characters.ends_ms],
    }
