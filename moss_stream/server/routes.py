"""Everything that is asked of the server, and how each protocol says what is wrong."""

from __future__ import annotations

from fastapi import FastAPI

from moss_stream.server.cartesia import requests as cartesia_requests
from moss_stream.server.cartesia import websocket as cartesia_socket
from moss_stream.server.cartesia.events import CartesiaShape
from moss_stream.server.deepgram import requests as deepgram_requests
from moss_stream.server.deepgram import websocket as deepgram_socket
from moss_stream.server.deepgram.errors import DeepgramShape
from moss_stream.server.elevenlabs import catalogue as elevenlabs_catalogue
from moss_stream.server.elevenlabs import speech as elevenlabs_speech
from moss_stream.server.elevenlabs import websocket as elevenlabs_socket
from moss_stream.server.elevenlabs.errors import ElevenLabsShape
from moss_stream.server.http import health, page
from moss_stream.server.openai import creations, models, speech, voices
from moss_stream.server.speak import calls
from moss_stream.server.speak import websocket as speak_socket

__all__ = ["SHAPES", "add_routes"]

SHAPES = CartesiaShape(), DeepgramShape(), ElevenLabsShape()
"""Asked in this order; what none of them claims is told as OpenAI tells it."""
PARTS = (
    *(page, health, calls),
    *(speech, creations, voices, models),
    *(cartesia_requests, cartesia_socket),
    *(deepgram_requests, speak_socket),
    *(elevenlabs_speech, elevenlabs_socket, elevenlabs_catalogue),
)


def add_routes(app: FastAPI) -> None:
    """Add all of them; where two protocols have one address, the one that looks closer is asked first."""
    app.router.routes.append(deepgram_socket.route)
    app.include_router(elevenlabs_catalogue.models_router)
    for part in PARTS:
        app.include_router(part.router)
