from __future__ import annotations

import json

import pytest

from moss_stream import AudioError, DeviceFailed, MossError, Overloaded, SynthesizerClosed, TextError
from moss_stream.server.http.problems import Problem, as_problem, response


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (TextError("nothing"), 400, "invalid_text"),
        (AudioError("noise"), 400, "invalid_audio"),
        (Overloaded("full"), 503, "overloaded"),
        (SynthesizerClosed("closed"), 503, "shutting_down"),
        (DeviceFailed("burnt"), 500, "engine_error"),
        (MossError("other"), 500, "internal_error"),
        (ZeroDivisionError("secret detail"), 500, "internal_error"),
    ],
)
def test_errors_become_answers(error: Exception, status: int, code: str) -> None:
    """Ours say what they say; of others a client learns nothing."""
    problem = as_problem(error)
    assert (problem.status, problem.code) == (status, code)
    assert (str(error) in str(problem)) is (code != "internal_error")
    assert as_problem(problem) is problem


def test_answers_have_openais_shape() -> None:
    """Message, type, param and code; a time to try again where that helps."""
    made = response(Problem(400, "bad", "It is bad.", "input"), {})
    assert json.loads(bytes(made.body)) == {
        "error": {"message": "It is bad.", "type": "invalid_request_error", "param": "input", "code": "bad"}
    }
    assert "retry-after" not in made.headers
    assert response(Problem(503, "full", "Full."), {}).headers["retry-after"] == "1"
    assert (
        json.loads(bytes(response(Problem(503, "full", "Full."), {}).body))["error"]["type"] == "server_error"
    )


@pytest.mark.parametrize(("hint_s", "wanted"), [(0.2, "1"), (3.0, "3"), (12.3, "13")])
def test_overload_says_when_there_could_be_room(hint_s: float, wanted: str) -> None:
    """In whole seconds, by HTTP, and not too early."""
    problem = as_problem(Overloaded("full", hint_s))
    assert problem.retry_after_s == hint_s and response(problem, {}).headers["retry-after"] == wanted
    assert as_problem(TextError("nothing")).retry_after_s is None


def test_a_message_is_short() -> None:
    """Whatever it is made of."""
    assert len(str(as_problem(TextError("x" * 10**6)))) <= 1000
    assert len(Problem(400, "bad", "Bad.", "x" * 10**6).param or "") <= 80
