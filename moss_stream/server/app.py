"""The application: endpoints, limits and errors on one synthesizer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from moss_stream import MossError, StreamingSynthesizer, Voice, __version__
from moss_stream.server.access import Access, KeyGuard
from moss_stream.server.http.bodies import BodyLimit
from moss_stream.server.http.connections import PlaceGuard, Places
from moss_stream.server.http.origins import PageGuard
from moss_stream.server.http.problems import ErrorAnswer, handlers
from moss_stream.server.routes import SHAPES, add_routes
from moss_stream.server.settings import ServerSettings
from moss_stream.server.speak.calls import Calls
from moss_stream.server.state import OPENAI_VOICES, State
from moss_stream.server.voice_shelf import shelf_at
from moss_stream.server.voice_store import VoiceStore

__all__ = ["create_app"]

logger = logging.getLogger("moss_stream.server")


async def _warm_up(synth: StreamingSynthesizer) -> None:
    try:
        await synth.warmup()
    except MossError:
        logger.exception("The model could not be made ready ahead of time.")


def create_app(synth: StreamingSynthesizer, settings: ServerSettings | None = None) -> FastAPI:
    """Return the application; it does not close the synthesizer."""
    settings = settings or ServerSettings()

    async def encode(recording: bytes) -> Voice:
        return await synth.encode_voice(recording)

    access, places = Access(settings, synth.info.max_streams), Places(settings.max_connections)
    shelf = None if settings.voices is None else shelf_at(settings.voices)
    store = VoiceStore(shelf, encode, {*synth.voices, *OPENAI_VOICES})
    state = State(synth, settings, access, store, places)
    held = Calls(settings.max_calls)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await state.store.load()
        warming = asyncio.create_task(_warm_up(synth))
        yield
        warming.cancel()
        await held.aclose()
        await store.aclose()

    app = FastAPI(
        title="moss-stream",
        version=__version__,
        lifespan=lifespan,
        responses={"4XX": {"model": ErrorAnswer}, "5XX": {"model": ErrorAnswer}},
    )
    app.state.moss, app.state.calls, app.state.shapes = state, held, SHAPES
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
    add_routes(app)
    app.add_middleware(
        BodyLimit,
        most=settings.max_body_bytes,
        most_json=settings.max_json_bytes,
        patience_s=settings.idle_s,
    )
    app.add_middleware(PlaceGuard, places=places)
    app.add_middleware(KeyGuard, access=access)
    if settings.origins:
        app.add_middleware(CORSMiddleware, allow_origins=list(settings.origins), allow_headers=["*"])
    app.add_middleware(PageGuard, settings=settings)  # the last one is asked first
    return app
