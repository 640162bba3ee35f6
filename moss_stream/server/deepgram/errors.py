"""Errors as Deepgram's clients expect them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from pydantic import BaseModel
from starlette.types import Scope

from moss_stream.server.http.problems import Problem

__all__ = ["ERRORS", "DeepgramError", "DeepgramShape", "socket_error"]


class DeepgramError(BaseModel):
    """The body of an answer that is no success."""

    err_code: str
    err_msg: str
    request_id: str


ERRORS: dict[int | str, dict[str, Any]] = {"4XX": {"model": DeepgramError}, "5XX": {"model": DeepgramError}}
"""For the document that describes the endpoint."""
CODES = {
    "invalid_api_key": "INVALID_AUTH",
    "text_too_long": "PAYLOAD_TOO_LARGE",
    "too_many_streams": "TOO_MANY_REQUESTS",
    "overloaded": "TOO_MANY_REQUESTS",
}
"""Our codes that they know by another name; the others are written as theirs are."""


class DeepgramShape:
    """A `DeepgramError`, whatever is wrong."""

    def claims(self, scope: Scope) -> bool:
        """See `ErrorShape`."""
        return bool(scope["path"] == "/v1/speak")

    def answer(self, problem: Problem) -> tuple[int, Any]:
        """See `ErrorShape`."""
        told = DeepgramError(err_code=_code(problem), err_msg=str(problem), request_id=str(uuid4()))
        return problem.status, told.model_dump()


def socket_error(problem: Problem) -> dict[str, Any]:
    """Return the message that says so on a socket."""
    return {"type": "Error", "code": _code(problem), "description": str(problem)}


def _code(problem: Problem) -> str:
    return CODES.get(problem.code, problem.code.upper())
