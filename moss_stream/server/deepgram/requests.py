"""`POST /v1/speak`, in the shape of Deepgram's: one text, one recording, streamed while it is made."""

from __future__ import annotations

from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict

from moss_stream import SynthesisOptions
from moss_stream.server.deepgram.errors import ERRORS
from moss_stream.server.deepgram.query import SpeakQuery
from moss_stream.server.http.answers import StreamedAnswer, begin, encoded
from moss_stream.server.state import state_of

__all__ = ["router"]

router = APIRouter(responses=ERRORS)


class SpeakText(BaseModel):
    """What is spoken; texts behind an address (`url`) are not fetched."""

    model_config = ConfigDict(extra="ignore")

    text: str


@router.post("/v1/speak", response_class=StreamingResponse)
async def speak(
    request: Request, query: Annotated[SpeakQuery, Query()], body: SpeakText
) -> StreamingResponse:
    """Speak a text; the first bytes leave with the first frame."""
    state, wanted = state_of(request.app), query.file()
    key = state.access.key(request.headers)
    begun = await begin(state, key, body.text, await query.voice_in(state), SynthesisOptions())
    answer = StreamedAnswer(encoded(begun.chunks, state.encoder(wanted)), wanted.media_type, begun, state)
    answer.headers["dg-request-id"] = str(uuid4())
    answer.headers["dg-char-count"] = str(len(body.text))
    return answer
