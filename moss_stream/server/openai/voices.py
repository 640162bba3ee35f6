"""`/v1/audio/voices`: what one can speak with, and uploads."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, UploadFile
from pydantic import BaseModel, Field

from moss_stream.config import AUDITION, PromptText, Seed
from moss_stream.server.state import state_of

__all__ = ["router"]

router = APIRouter()
MAX_AUDITION = 1000
"""Characters: a minute of speech, and no voice is encoded from more."""


@router.get("/v1/audio/voices")
async def voices(request: Request) -> dict[str, list[dict[str, Any]]]:
    """List the model's voices and the uploaded ones."""
    state = state_of(request.app)
    state.access.key(request.headers)
    own = [
        {"id": name, "name": name, "description": voice.description, "uploaded": False}
        for name, voice in state.synth.voices.items()
    ]
    uploaded = [
        {
            "id": voice.name,
            "name": voice.name,
            "consent": voice.consent,
            "seconds": voice.seconds,
            "uploaded": True,
        }
        for voice in await state.store.all()
    ]
    return {"voices": own + uploaded}


@router.post("/v1/audio/voices", status_code=201)
async def add(
    request: Request,
    name: Annotated[str, Form()],
    consent: Annotated[str, Form()],
    audio: Annotated[UploadFile, File()],
) -> dict[str, Any]:
    """Store a voice from a recording of 0.5 to 60 s."""
    state = state_of(request.app)
    state.access.key(request.headers)
    stored = await state.store.add(name, await audio.read(), consent)
    return {"id": stored.name, "consent": stored.consent, "seconds": stored.seconds, "uploaded": True}


class DesignRequest(BaseModel):
    """A voice to make up."""

    name: str
    description: PromptText
    text: Annotated[str, Field(max_length=MAX_AUDITION)] = AUDITION
    """What it says to be known by, in the language that it will speak."""
    seed: Seed = 0
    """Of the candidate: another one gives another voice."""


@router.post("/v1/audio/voices/design", status_code=201)
async def design(request: Request, body: DesignRequest) -> dict[str, Any]:
    """Make up a voice from a description, and store it like one that was uploaded."""
    state = state_of(request.app)
    key = state.access.key(request.headers)
    with state.access.stream(key):
        stored = await state.store.keep(
            body.name,
            lambda: state.synth.design_voice(body.description, text=body.text, seed=body.seed),
            f"Made up: {body.description}",
        )
    return {"id": stored.name, "consent": stored.consent, "seconds": stored.seconds, "uploaded": True}


@router.delete("/v1/audio/voices/{name}", status_code=204)
async def delete(request: Request, name: str) -> None:
    """Forget an uploaded voice."""
    state = state_of(request.app)
    state.access.key(request.headers)
    await state.store.delete(name)
