"""What clients of Cartesia are told, on sockets and in streams of events alike."""

from __future__ import annotations

import base64
from typing import Any
from uuid import uuid4

from pydantic import BaseModel
from starlette.types import Scope

from moss_stream import Word
from moss_stream.server.http.problems import Problem

__all__ = ["CartesiaError", "CartesiaShape", "chunk", "done", "error", "flush_done", "timestamps"]

Event = dict[str, Any]
PARTIAL, OK = 206, 200
"""Statuses of what goes on, and of the end."""


class CartesiaError(BaseModel):
    """The body of an answer that is no success."""

    title: str
    message: str
    error_code: str
    request_id: str
    status_code: int


class CartesiaShape:
    """A `CartesiaError`, whatever is wrong."""

    def claims(self, scope: Scope) -> bool:
        """See `ErrorShape`."""
        return bool(scope["path"].startswith("/tts/"))

    def answer(self, problem: Problem) -> tuple[int, Any]:
        """See `ErrorShape`."""
        return problem.status, CartesiaError(**_about(problem), status_code=problem.status).model_dump()


def chunk(data: bytes) -> Event:
    """Audio."""
    return _event("chunk", PARTIAL, data=base64.b64encode(data).decode(), step_time=0.0)


def timestamps(words: list[Word], speed: float) -> Event:
    """Words, and when they are heard."""
    times = {
        "words": [word.text for word in words],
        "start": [word.start_s / speed for word in words],
        "end": [word.end_s / speed for word in words],
    }
    return _event("timestamps", PARTIAL, word_timestamps=times)


def flush_done(flush_id: int) -> Event:
    """All audio of what was flushed was sent."""
    return _event("flush_done", PARTIAL, flush_id=flush_id, flush_done=True)


def done() -> Event:
    """The end."""
    return _event("done", OK, is_done=True)


def error(problem: Problem) -> Event:
    """What is wrong; older clients read `error`."""
    about: Event = {"error": str(problem), **_about(problem)}
    if problem.retry_after_s is not None:
        about["retry_after_s"] = problem.retry_after_s
    return _event("error", problem.status, is_done=True, **about)


def _about(problem: Problem) -> Event:
    code = problem.code
    return {"title": code, "message": str(problem), "error_code": code, "request_id": str(uuid4())}


def _event(kind: str, status: int, is_done: bool = False, **content: Any) -> Event:
    return {"type": kind, "status_code": status, "done": is_done, **content}
