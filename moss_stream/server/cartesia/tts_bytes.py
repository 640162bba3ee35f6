"""`POST /tts/bytes`, in the shape of Cartesia's: one text, one recording, streamed while it is made."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from moss_stream.formats.output import AudioFormat
from moss_stream.server.cartesia.shapes import BytesRequest
from moss_stream.server.http.answers import StreamedAnswer, begin, encoded
from moss_stream.server.state import state_of

__all__ = ["router"]

router = APIRouter()


@router.post("/tts/bytes", response_class=StreamingResponse)
async def tts_bytes(request: Request, body: BytesRequest) -> StreamingResponse:
    """Speak a text; the first bytes leave with the first frame."""
    state = state_of(request.app)
    key = state.access.key(request.headers)
    output = body.output_format
    begun = await begin(state, key, body.transcript, body.voice_in(state), body.options())
    media_type = "audio/wav" if output.container == "wav" else "application/octet-stream"
    audio = AudioFormat(output.container, output.encoding, output.sample_rate)
    return StreamedAnswer(encoded(begun.chunks, state.encoder(audio)), media_type, begun, state)
