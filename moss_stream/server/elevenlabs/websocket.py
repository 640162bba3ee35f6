"""`WS …/stream-input` and `WS …/multi-stream-input`, in the shape of ElevenLabs' sockets."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query, WebSocket

from moss_stream import SynthesisOptions
from moss_stream.config import Language, Seed
from moss_stream.languages import language_name
from moss_stream.server.elevenlabs.context_socket import ContextSocket, Wishes
from moss_stream.server.elevenlabs.errors import socket_error
from moss_stream.server.elevenlabs.output_format import DEFAULT, audio_format
from moss_stream.server.elevenlabs.shapes import voice_named
from moss_stream.server.http.problems import Problem
from moss_stream.server.sockets import POLICY_VIOLATION, Socket
from moss_stream.server.state import State, state_of

__all__ = ["router"]

router = APIRouter(prefix="/v1/text-to-speech")


def _wishes(
    voice: str,
    output_format: Annotated[str, Query(max_length=100)] = DEFAULT,
    language_code: Language | None = None,
    seed: Seed = 0,
    auto_mode: bool = False,
    sync_alignment: bool = False,
) -> Wishes:
    options = SynthesisOptions(seed=seed, language=language_name(language_code))
    return Wishes(voice, output_format, options, auto_mode, sync_alignment)


@router.websocket("/{voice}/stream-input")
async def one_text(socket: WebSocket, wishes: Annotated[Wishes, Depends(_wishes)]) -> None:
    """Speak one text as it comes; the socket closes behind it."""
    await _serve(socket, wishes)


@router.websocket("/{voice}/multi-stream-input")
async def many_texts(socket: WebSocket, wishes: Annotated[Wishes, Depends(_wishes)]) -> None:
    """Speak a text for each context, side by side."""
    await _serve(socket, replace(wishes, is_multi=True))


async def _serve(socket: WebSocket, wishes: Wishes) -> None:
    state = state_of(socket.app)
    await socket.accept()
    try:
        key = _key(state, socket)
        audio_format(wishes.output_format)
        await state.voice(await voice_named(wishes.voice, state))
    except Problem as problem:
        await socket.send_json(socket_error(problem))
        await socket.close(POLICY_VIOLATION, str(problem)[:120])
        return
    await ContextSocket(Socket(socket, state), state, wishes, key).serve()


def _key(state: State, socket: WebSocket) -> str | None:
    """Return the client's key; None if it may come with the first message, since a page sets no headers."""
    try:
        return state.access.key(socket.headers, socket.query_params)
    except Problem:
        if {"xi-api-key", "x-api-key", "authorization"} & set(socket.headers.keys()):
            raise
        return None
