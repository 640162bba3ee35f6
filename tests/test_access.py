from __future__ import annotations

import pytest

from moss_stream.server.access import Access
from moss_stream.server.problems import Problem
from moss_stream.server.settings import ServerSettings

KEYS = ("first-secret", "second-secret")


def test_each_key_opens() -> None:
    """In either header, or in the query of a socket."""
    access = Access(ServerSettings(api_keys=KEYS))
    assert access.key({"authorization": "Bearer second-secret"}) == "second-secret"
    assert access.key({"authorization": "bearer first-secret"}) == "first-secret"
    assert access.key({"x-api-key": "first-secret"}) == "first-secret"
    assert access.key({}, {"api_key": "first-secret"}) == "first-secret"
    assert Access(ServerSettings()).key({}) == ""


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Basic first-secret"}, {"x-api-key": "f\u00fcrst"}]
)
def test_nothing_else_opens(headers: dict[str, str]) -> None:
    """What is no key, in whatever letters, is 401."""
    with pytest.raises(Problem, match="valid API key") as caught:
        Access(ServerSettings(api_keys=KEYS)).key(headers)
    assert caught.value.status == 401


def test_a_key_has_so_many_streams() -> None:
    """One too many is 429; a stream that is over makes room, also when it failed."""
    access = Access(ServerSettings(api_keys=KEYS, streams_per_key=2))
    with access.stream("a"), access.stream("a"):
        with pytest.raises(Problem) as caught, access.stream("a"):
            pass
        assert caught.value.status == 429
        with access.stream("b"):
            pass
    with pytest.raises(ZeroDivisionError), access.stream("a"):
        raise ZeroDivisionError
    with access.stream("a"), access.stream("a"):
        pass
