"""`POST /v1/audio/speech`, in the shape of OpenAI's endpoint."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from moss_stream import AudioChunk, SamplingOptions, SynthesisOptions, SynthesisStream
from moss_stream.config import Codebooks, Language, PromptText, Seed, Tokens
from moss_stream.server.http.answers import StreamedAnswer, begin
from moss_stream.server.http.formats import MEDIA_TYPES, Encoder, Format, encoder
from moss_stream.server.http.problems import Problem
from moss_stream.server.state import state_of

__all__ = ["SpeechRequest", "router"]

router = APIRouter()

VoiceName = Annotated[str, Field(max_length=100)]


class VoiceId(BaseModel):
    """A voice by its id, as newer clients name it."""

    id: VoiceName


class SpeechRequest(BaseModel):
    """OpenAI's fields, and those of this model. What is not known is passed over, as OpenAI does."""

    model_config = ConfigDict(extra="ignore")

    input: str
    model: Annotated[str, Field(max_length=200)] = ""
    voice: VoiceName | VoiceId | None = None
    instructions: PromptText | None = None
    response_format: Format = "mp3"
    stream_format: Literal["audio", "sse"] = "audio"
    speed: Annotated[float, Field(ge=0.25, le=4.0)] = 1.0
    """Taken for OpenAI's clients; only 1.0 can be spoken."""
    seed: Seed = 0
    n_vq: Codebooks | None = None
    tokens: Tokens | None = None
    language: Language | None = None
    sampling: SamplingOptions | None = None

    def options(self) -> SynthesisOptions:
        """Return how to speak."""
        return SynthesisOptions(
            seed=self.seed,
            n_vq=self.n_vq,
            tokens=self.tokens,
            language=self.language,
            instruction=self.instructions,
            sampling=self.sampling,
        )


@router.post("/v1/audio/speech", response_class=StreamingResponse)
async def speech(request: Request, body: SpeechRequest) -> StreamingResponse:
    """Speak a text; the first bytes leave with the first frame.

    Closing the connection stops the model within a frame.
    """
    state = state_of(request.app)
    key = state.access.key(request.headers)
    if body.speed != 1.0:
        raise Problem(400, "unsupported_speed", "This model speaks at speed 1.0 only; leave it out.", "speed")
    voice = body.voice.id if isinstance(body.voice, VoiceId) else body.voice
    begun = await begin(state, key, body.input, voice, body.options())
    info = state.synth.info
    made = _encoded(begun.chunks, encoder(body.response_format, info.sample_rate, info.channels))
    if body.stream_format == "sse":
        return StreamedAnswer(_events(made, body.input, begun.stream), "text/event-stream", begun, state)
    return StreamedAnswer(made, MEDIA_TYPES[body.response_format], begun, state)


async def _encoded(chunks: AsyncIterator[AudioChunk], made: Encoder) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        if data := made.feed(chunk.pcm):
            yield data
    if data := made.end():
        yield data


async def _events(made: AsyncIterator[bytes], text: str, stream: SynthesisStream) -> AsyncIterator[str]:
    async for data in made:
        yield _event({"type": "speech.audio.delta", "audio": base64.b64encode(data).decode()})
    metrics = stream.metrics
    frames = 0 if metrics is None else round(metrics.audio_s * 12.5)
    usage = {"input_tokens": len(text), "output_tokens": frames, "total_tokens": len(text) + frames}
    yield _event({"type": "speech.audio.done", "usage": usage})
    yield "data: [DONE]\n\n"


def _event(content: dict[str, object]) -> str:
    return f"data: {json.dumps(content)}\n\n"
