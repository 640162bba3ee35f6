"""`POST /tts/bytes`, in the shape of Cartesia's: one text, one recording, streamed while it is made."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from moss_stream import AudioChunk
from moss_stream.server.cartesia.shapes import BytesRequest, OutputFormat
from moss_stream.server.encodings import RawAudio
from moss_stream.server.http.answers import StreamedAnswer, begin
from moss_stream.server.http.formats import wav_header
from moss_stream.server.http.problems import Problem
from moss_stream.server.state import state_of

__all__ = ["router"]

router = APIRouter()


@router.post("/tts/bytes", response_class=StreamingResponse)
async def tts_bytes(request: Request, body: BytesRequest) -> StreamingResponse:
    """Speak a text; the first bytes leave with the first frame."""
    state = state_of(request.app)
    key = state.access.key(request.headers)
    output = body.output_format
    if output.container == "wav" and output.encoding != "pcm_s16le":
        raise Problem(400, "unsupported_format", "A WAV file needs the encoding pcm_s16le.", "output_format")
    begun = await begin(state, key, body.transcript, body.voice_in(state), body.options())
    media_type = "audio/wav" if output.container == "wav" else "application/octet-stream"
    info = state.synth.info
    audio = RawAudio(output.encoding, output.sample_rate, info.sample_rate, info.channels)
    return StreamedAnswer(_converted(begun.chunks, audio, output), media_type, begun, state)


async def _converted(
    chunks: AsyncIterator[AudioChunk], audio: RawAudio, output: OutputFormat
) -> AsyncIterator[bytes]:
    if output.container == "wav":
        yield wav_header(output.sample_rate, 1)
    async for chunk in chunks:
        if data := audio.feed(chunk.pcm):
            yield data
    if data := audio.feed(b"", is_last=True):
        yield data
