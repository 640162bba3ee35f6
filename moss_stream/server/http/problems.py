"""Errors as clients expect them: OpenAI's, unless a protocol has a shape of its own."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Protocol

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.types import Scope

from moss_stream.errors import (
    AudioError,
    ConfigError,
    EngineError,
    MossError,
    Overloaded,
    SynthesizerClosed,
    TextError,
)
from moss_stream.quote import MAX_QUOTE, brief, complaint

__all__ = ["ErrorAnswer", "ErrorShape", "Problem", "as_problem", "handlers", "response"]

RETRY_AFTER_S = 1.0
"""When to try again if nothing better is known: a short answer is over by then."""


class Problem(Exception):
    """An answer that is no success.

    Attributes:
        status: Of HTTP.
        code: For programs.
        param: The field of the request that is wrong.
        retry_after_s: When to try again; None if that would not help.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        param: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(brief(message))
        self.status, self.code, self.param = status, code, param and brief(param, MAX_QUOTE)
        is_passing = status in (429, 503)
        self.retry_after_s = RETRY_AFTER_S if is_passing and retry_after_s is None else retry_after_s


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
            hint_s = error.retry_after_s if isinstance(error, Overloaded) else None
            return Problem(status, code, str(error), retry_after_s=hint_s)
    return Problem(500, "internal_error", "The server failed. Its log says why.")


_KINDS: tuple[tuple[type[MossError], int, str], ...] = (
    (TextError, 400, "invalid_text"),
    (ConfigError, 400, "invalid_option"),
    (AudioError, 400, "invalid_audio"),
    (Overloaded, 503, "overloaded"),
    (SynthesizerClosed, 503, "shutting_down"),
    (EngineError, 500, "engine_error"),
)


class ErrorShape(Protocol):
    """How the clients of one protocol are told what is wrong."""

    def claims(self, scope: Scope) -> bool:
        """Tell whether a request comes from one of them."""

    def answer(self, problem: Problem) -> tuple[int, Any]:
        """Return the status, and the content as JSON."""


class _OpenAIShape:
    """Also everybody else's."""

    def claims(self, scope: Scope) -> bool:
        return True

    def answer(self, problem: Problem) -> tuple[int, Any]:
        kind = "invalid_request_error" if problem.status < 500 else "server_error"
        detail = ErrorDetail(message=str(problem), type=kind, param=problem.param, code=problem.code)
        return problem.status, ErrorAnswer(error=detail).model_dump()


def response(problem: Problem, scope: Scope) -> JSONResponse:
    """Return a problem in the shape of whoever asks; `app.state.shapes` holds those that are not OpenAI's."""
    shapes: Iterable[ErrorShape] = scope["app"].state.shapes if "app" in scope else ()
    shape = next((shape for shape in shapes if shape.claims(scope)), _OpenAIShape())
    status, content = shape.answer(problem)
    headers = None
    if problem.retry_after_s is not None:  # whole seconds, by HTTP
        headers = {"Retry-After": str(max(1, math.ceil(problem.retry_after_s)))}
    return JSONResponse(content, status, headers)


async def _ours(request: Request, error: Exception) -> JSONResponse:
    return response(as_problem(error), request.scope)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = brief(".".join(str(part) for part in first["loc"][1:]), MAX_QUOTE)
    message = f"{where or 'The request'}: {complaint(first)}."
    return response(Problem(400, "invalid_request", message, where or None), request.scope)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return response(Problem(error.status_code, "http_error", str(error.detail)), request.scope)


handlers = {
    Problem: _ours,
    MossError: _ours,
    RequestValidationError: _invalid,
    HTTPException: _http,
    Exception: _ours,
}
"""For FastAPI."""
