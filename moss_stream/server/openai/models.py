"""`GET /v1/models`, in the shape of OpenAI's endpoint: what is loaded."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from moss_stream.server.state import state_of

__all__ = ["router"]

router = APIRouter()


@router.get("/v1/models")
async def models(request: Request) -> dict[str, Any]:
    """List the one model that speaks, with its codebooks, rate and channels."""
    state = state_of(request.app)
    state.access.key(request.headers)
    model = {
        "id": "moss-stream",
        "object": "model",
        "created": 0,
        "owned_by": "moss-stream",
        "num_codebooks": state.synth.info.num_codebooks,
        "sample_rate": state.synth.info.sample_rate,
        "channels": state.synth.info.channels,
    }
    return {"object": "list", "data": [model]}
