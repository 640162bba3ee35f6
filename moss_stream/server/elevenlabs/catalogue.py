"""What ElevenLabs' clients ask before they speak: voices and models."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.routing import Match
from starlette.types import Scope

from moss_stream.languages import LANGUAGES
from moss_stream.server.elevenlabs.errors import ERRORS
from moss_stream.server.http.problems import Problem
from moss_stream.server.state import State, state_of

__all__ = ["models_router", "router"]

router = APIRouter(responses=ERRORS)


@router.get("/v1/voices")
async def voices(request: Request) -> dict[str, Any]:
    """List the model's voices and the uploaded ones."""
    state = state_of(request.app)
    state.access.key(request.headers)
    return {"voices": await _voices(state)}


@router.get("/v2/voices")
async def found_voices(request: Request) -> dict[str, Any]:
    """List them in one page, as newer clients ask."""
    state = state_of(request.app)
    state.access.key(request.headers)
    found = await _voices(state)
    return {"voices": found, "has_more": False, "total_count": len(found), "next_page_token": None}


@router.get("/v1/voices/{voice}")
async def voice(request: Request, voice: str) -> dict[str, Any]:
    """Return one of them."""
    state = state_of(request.app)
    state.access.key(request.headers)
    for each in await _voices(state):
        if each["voice_id"] == voice:
            return each
    await state.voice(voice)  # raises, unless the name stands for the default
    raise Problem(400, "unknown_voice", "This name stands for the default voice.", "voice")


async def _voices(state: State) -> list[dict[str, Any]]:
    own = [_voice(name, "premade", each.description) for name, each in state.synth.voices.items()]
    return own + [_voice(each.name, "cloned", "") for each in await state.store.all()]


def _voice(name: str, category: str, description: str) -> dict[str, Any]:
    return {"voice_id": name, "name": name, "category": category, "description": description, "labels": {}}


class _TheirRoute(APIRoute):
    """Is asked only by clients that name their key as ElevenLabs does: OpenAI's have the same address."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if "xi-api-key" not in Headers(scope=scope):
            return Match.NONE, {}
        return super().matches(scope)


models_router = APIRouter(route_class=_TheirRoute)


@models_router.get("/v1/models", include_in_schema=False)
async def models(request: Request) -> list[dict[str, Any]]:
    """List the one model that speaks."""
    state = state_of(request.app)
    state.access.key(request.headers)
    return [
        {
            "model_id": "moss-stream",
            "name": "moss-stream",
            "description": state.synth.info.description,
            "can_do_text_to_speech": True,
            "can_do_voice_conversion": False,
            "can_be_finetuned": False,
            "can_use_style": False,
            "can_use_speaker_boost": False,
            "serves_pro_voices": False,
            "token_cost_factor": 0.0,
            "maximum_text_length_per_request": state.settings.max_text_chars,
            "languages": [{"language_id": code, "name": name} for code, name in LANGUAGES.items()],
        }
    ]
