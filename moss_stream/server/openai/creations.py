"""`POST /v1/audio/dialogue` and `/v1/audio/sounds`: what OpenAI's API has no words for, in its shape."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from moss_stream import Line, SynthesisStream
from moss_stream.config import MAX_SOUND_S, PromptText
from moss_stream.server.http.answers import StreamedAnswer, begin_stream, encoded
from moss_stream.server.openai.audio_request import AudioRequest, VoiceName
from moss_stream.server.state import State, state_of
from moss_stream.text.speakers import MAX_SPEAKERS

__all__ = ["router"]

router = APIRouter()

MAX_LINES = 10_000
"""More than the longest text allowed has sentences."""
Speaker = Annotated[str, Field(pattern=f"^S[1-{MAX_SPEAKERS}]$")]


class SpokenLine(BaseModel):
    """What one speaker says."""

    speaker: Speaker
    text: str


class DialogueRequest(AudioRequest):
    """A dialogue, and the voices of those who speak it."""

    input: str = ""
    """Text with tags such as [S1]."""
    lines: Annotated[list[SpokenLine], Field(max_length=MAX_LINES)] = []
    """They follow the text."""
    voices: Annotated[dict[Speaker, VoiceName | None], Field(max_length=MAX_SPEAKERS)] | None = None
    """By speaker; null leaves a voice to the model, and so does no `voices`."""

    def text(self) -> str:
        """Return it as text with tags."""
        return self.input + "".join(str(Line(line.speaker, line.text)) for line in self.lines)


class SoundRequest(AudioRequest):
    """A sound from a description."""

    description: PromptText
    seconds: Annotated[float, Field(ge=0.08, le=MAX_SOUND_S)] = 5.0


@router.post("/v1/audio/dialogue", response_class=StreamingResponse)
async def dialogue(request: Request, body: DialogueRequest) -> StreamingResponse:
    """Speak a dialogue of up to five speakers."""
    state = state_of(request.app)
    text, options = body.text(), body.how()

    async def make() -> SynthesisStream:
        named = body.voices
        voices = None if named is None else {who: await state.voice(name) for who, name in named.items()}
        return state.synth.dialogue(text, voices=voices, options=options)

    return await _answer(state, request, body, text, make)


@router.post("/v1/audio/sounds", response_class=StreamingResponse)
async def sounds(request: Request, body: SoundRequest) -> StreamingResponse:
    """Make a sound."""
    state = state_of(request.app)
    options = body.how()

    async def make() -> SynthesisStream:
        return state.synth.sound(body.description, seconds=body.seconds, options=options)

    return await _answer(state, request, body, body.description, make)


async def _answer(
    state: State,
    request: Request,
    body: AudioRequest,
    text: str,
    make: Callable[[], Awaitable[SynthesisStream]],
) -> StreamingResponse:
    key, audio = state.access.key(request.headers), body.audio()
    begun = await begin_stream(state, key, text, make)
    return StreamedAnswer(encoded(begun.chunks, state.encoder(audio)), audio.media_type, begun, state)
