from __future__ import annotations

from moss_stream import Word
from moss_stream.server.cartesia import events
from moss_stream.server.http.problems import Problem


def test_times_are_those_of_what_is_heard() -> None:
    """Faster speech is over sooner."""
    told = events.timestamps([Word("Hello", 0, 5, 0.2, 0.6)], speed=2.0)
    assert told["word_timestamps"] == {"words": ["Hello"], "start": [0.1], "end": [0.3]}


def test_an_error_says_when_to_try_again() -> None:
    """Beside what the SDK reads, and what older clients did."""
    told = events.error(Problem(503, "overloaded", "Full.", retry_after_s=2.0))
    assert told["done"] and told["title"] == "overloaded" and told["error"] == told["message"] == "Full."
    assert told["retry_after_s"] == 2.0 and told["status_code"] == 503


def test_who_asks_under_its_addresses_gets_its_shape() -> None:
    """Others get theirs."""
    shape = events.CartesiaShape()
    assert shape.claims({"path": "/tts/bytes"}) and not shape.claims({"path": "/v1/audio/speech"})
    status, content = shape.answer(Problem(400, "bad", "It is bad."))
    assert status == content["status_code"] == 400 and content["error_code"] == "bad"
