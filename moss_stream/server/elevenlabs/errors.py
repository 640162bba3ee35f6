"""Errors as ElevenLabs' clients expect them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.types import Scope

from moss_stream.server.http.problems import Problem
from moss_stream.server.sockets import POLICY_VIOLATION

__all__ = ["ERRORS", "ElevenLabsError", "ElevenLabsShape", "socket_error"]

PATHS = ("/v1/text-to-speech/", "/v1/voices", "/v2/voices")
STATUSES = {
    "unknown_voice": (404, "voice_not_found"),
    "too_many_streams": (429, "too_many_concurrent_requests"),
    "overloaded": (429, "system_busy"),
}
"""Our codes that they know by another status and name."""


class Told(BaseModel):
    """What is wrong."""

    status: str
    message: str


class Misplaced(BaseModel):
    """A field that is wrong."""

    loc: list[str]
    msg: str
    type: str = "value_error"


class ElevenLabsError(BaseModel):
    """The body of an answer that is no success; fields are listed with status 422."""

    detail: Told | list[Misplaced]


ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ElevenLabsError},
    "5XX": {"model": ElevenLabsError},
}
"""For the document that describes the endpoints."""


class ElevenLabsShape:
    """`{"detail": {"status": ..., "message": ...}}`; of a body that is no request, 422 and a list."""

    def claims(self, scope: Scope) -> bool:
        """See `ErrorShape`."""
        return scope["path"].startswith(PATHS) or "xi-api-key" in Headers(scope=scope)

    def answer(self, problem: Problem) -> tuple[int, Any]:
        """See `ErrorShape`."""
        if problem.code == "invalid_request":
            where = ["body", *(problem.param or "").split(".")]
            return 422, ElevenLabsError(detail=[Misplaced(loc=where, msg=str(problem))]).model_dump()
        status, code = STATUSES.get(problem.code, (problem.status, problem.code))
        return status, ElevenLabsError(detail=Told(status=code, message=str(problem))).model_dump()


def socket_error(problem: Problem, context: str | None = None) -> dict[str, Any]:
    """Return the message that says so on a socket; `code` is that of WebSocket closes."""
    about = {} if context is None else {"contextId": context}
    _, code = STATUSES.get(problem.code, (0, problem.code))
    return {"message": str(problem), "error": code, "code": POLICY_VIOLATION, **about}
