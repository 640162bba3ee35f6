"""Errors as OpenAI's clients expect them."""

from __future__ import annotations

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from moss_stream.errors import (
    AudioError,
    ConfigError,
    EngineError,
    MossError,
    Overloaded,
    SynthesizerClosed,
    TextError,
)

__all__ = ["ErrorAnswer", "Problem", "as_problem", "handlers", "response"]

RETRY_AFTER_S = 1


class Problem(Exception):
    """An answer that is no success.

    Attributes:
        status: Of HTTP.
        code: For programs.
        param: The field of the request that is wrong.
    """

    def __init__(self, status: int, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.param = status, code, param


class ErrorDetail(BaseModel):
    """What is wrong."""

    message: str
    type: str
    param: str | None
    code: str


class ErrorAnswer(BaseModel):
    """The body of every answer that is no success."""

    error: ErrorDetail


def as_problem(error: Exception) -> Problem:
    """Return what a client is told about an error; of what is not ours it learns nothing."""
    if isinstance(error, Problem):
        return error
    for kind, status, code in _KINDS:
        if isinstance(error, kind):
            return Problem(status, code, str(error))
    return Problem(500, "internal_error", "The server failed. Its log says why.")


_KINDS: tuple[tuple[type[MossError], int, str], ...] = (
    (TextError, 400, "invalid_text"),
    (ConfigError, 400, "invalid_option"),
    (AudioError, 400, "invalid_audio"),
    (Overloaded, 503, "overloaded"),
    (SynthesizerClosed, 503, "shutting_down"),
    (EngineError, 500, "engine_error"),
)


def response(problem: Problem) -> JSONResponse:
    """Return a problem in OpenAI's shape."""
    kind = "invalid_request_error" if problem.status < 500 else "server_error"
    detail = ErrorDetail(message=str(problem), type=kind, param=problem.param, code=problem.code)
    headers = {"Retry-After": str(RETRY_AFTER_S)} if problem.status in (429, 503) else None
    return JSONResponse(ErrorAnswer(error=detail).model_dump(), problem.status, headers)


async def _ours(request: Request, error: Exception) -> JSONResponse:
    return response(as_problem(error))


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    return response(
        Problem(400, "invalid_request", f"{where or 'The request'}: {first['msg']}.", where or None)
    )


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return response(Problem(error.status_code, "http_error", str(error.detail)))


handlers = {
    Problem: _ours,
    MossError: _ours,
    RequestValidationError: _invalid,
    HTTPException: _http,
    Exception: _ours,
}
"""For FastAPI."""
