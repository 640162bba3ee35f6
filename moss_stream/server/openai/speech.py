"""`POST /v1/audio/speech`, in the shape of OpenAI's endpoint."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field, model_validator

from moss_stream import SamplingOptions, SynthesisOptions, SynthesisStream
from moss_stream.config import Language, PromptText, Tokens
from moss_stream.server.http.answers import StreamedAnswer, begin, encoded
from moss_stream.server.openai.audio_request import AudioRequest, VoiceName
from moss_stream.server.state import state_of

__all__ = ["SpeechRequest", "router"]

router = APIRouter()


class VoiceId(BaseModel):
    """A voice by its id, as newer clients name it."""

    id: VoiceName


class SpeechRequest(AudioRequest):
    """OpenAI's fields, and those of this model.

    What is not known is passed over, as OpenAI does; null is what was not given, as several clients mean it.
    """

    input: str
    model: Annotated[str, Field(max_length=200)] = ""
    voice: VoiceName | VoiceId | None = None
    instructions: PromptText | None = None
    stream_format: Literal["audio", "sse"] = "audio"
    tokens: Tokens | None = None
    language: Language | None = None
    sampling: SamplingOptions | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, body: Any) -> Any:
        if not isinstance(body, dict):
            return body
        return {name: value for name, value in body.items() if value is not None}

    def options(self) -> SynthesisOptions:
        """Return how to speak."""
        return self.how().replace(
            tokens=self.tokens,
            language=self.language,
            instruction=self.instructions or None,
            sampling=self.sampling,
        )


@router.post("/v1/audio/speech", response_class=StreamingResponse)
async def speech(request: Request, body: SpeechRequest) -> StreamingResponse:
    """Speak a text; the first bytes leave with the first frame.

    Closing the connection stops the model within a frame.
    """
    state = state_of(request.app)
    key = state.access.key(request.headers)
    audio = body.audio()
    voice = body.voice.id if isinstance(body.voice, VoiceId) else body.voice
    begun = await begin(state, key, body.input, voice, body.options())
    made = encoded(begun.chunks, state.encoder(audio))
    if body.stream_format == "sse":
        return StreamedAnswer(_events(made, body.input, begun.stream), "text/event-stream", begun, state)
    return StreamedAnswer(made, audio.media_type, begun, state)


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
