"""`/healthz`, `/readyz` and `/metrics`."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from moss_stream.prometheus import register
from moss_stream.server.state import state_of

__all__ = ["router"]

router = APIRouter()


@router.get("/healthz")
async def alive() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def ready(request: Request) -> JSONResponse:
    """Say whether streams are taken: the model is loaded and warm, and its device works."""
    is_ready = state_of(request.app).synth.is_ready
    return JSONResponse({"status": "ready" if is_ready else "not ready"}, 200 if is_ready else 503)


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Return the figures in Prometheus' format."""
    state = state_of(request.app)
    state.access.key(request.headers)
    registry = CollectorRegistry()
    register(lambda: state.synth.metrics, registry)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
