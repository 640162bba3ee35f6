"""The application: endpoints, limits and errors on one synthesizer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from moss_stream import StreamingSynthesizer, Voice, __version__
from moss_stream.server import calls, cartesia, cartesia_bytes, health, models, page, speak, speech, voices
from moss_stream.server.access import Access
from moss_stream.server.calls import Calls
from moss_stream.server.problems import Problem, handlers, response
from moss_stream.server.settings import ServerSettings
from moss_stream.server.state import State
from moss_stream.server.voice_store import VoiceStore

__all__ = ["create_app"]


def create_app(synth: StreamingSynthesizer, settings: ServerSettings | None = None) -> FastAPI:
    """Return the application; it does not close the synthesizer."""
    settings = settings or ServerSettings()

    async def encode(recording: bytes) -> Voice:
        return await synth.encode_voice(recording)

    state = State(
        synth, settings, Access(settings), VoiceStore(settings.voices, encode), Calls(settings.max_calls)
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await state.store.load()
        yield
        await state.calls.aclose()

    app = FastAPI(title="moss-stream", version=__version__, lifespan=lifespan)
    app.state.moss = state
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
    for part in (page, speech, voices, models, speak, cartesia, cartesia_bytes, calls, health):
        app.include_router(part.router)
    app.add_middleware(_BodyLimit, most=settings.max_body_bytes)
    if settings.origins:
        app.add_middleware(CORSMiddleware, allow_origins=list(settings.origins), allow_headers=["*"])
    return app


class _BodyLimit:
    """Refuses bodies that are too large, also those that do not say how large they are."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = response(Problem(413, "too_large", f"The body is larger than {self._most} bytes."))
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._most:
            await refusal(scope, receive, send)
            return
        received = 0

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message if received <= self._most else {"type": "http.request", "more_body": False}

        async def corrected(message: Message) -> None:
            """Answer with the refusal, whatever the application makes of a body that was cut off."""
            if received <= self._most:
                await send(message)
            elif message["type"] == "http.response.start":
                await refusal(scope, receive, send)

        await self._app(scope, limited, corrected)
