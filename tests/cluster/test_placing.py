"""Where requests go, without Ray."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from moss_stream.cluster.placing import Report, Slots, affinity_of, takes_a_slot
from moss_stream.cluster.target import Target

VOICES = [f"voice-{number}" for number in range(300)]


def scope(path: str = "/", query: str = "", **headers: str) -> dict[str, Any]:
    return {
        "type": "http",
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }


@pytest.mark.parametrize(
    ("asked", "voice"),
    [
        (scope(), None),
        (scope("/v1/text-to-speech/ada/stream"), "ada"),
        (scope("/v1/text-to-speech/ada", x_voice="eve"), "eve"),
        (scope("/v1/speak", "voice=bob&speed=2"), "bob"),
        (scope("/v1/speak", "model=aura-2"), "aura-2"),
        (scope("/v1/speak", "speed=2&voice="), None),
        (scope("/", f"voice={'x' * 500}"), "x" * 128),
    ],
)
def test_the_voice_of_a_request(asked: dict[str, Any], voice: str | None) -> None:
    """Wherever a protocol names it before the body."""
    assert affinity_of(asked) == voice


def test_who_may_speak() -> None:
    """Sockets, and requests with a body."""
    assert takes_a_slot({"type": "websocket"}) and takes_a_slot({"type": "http", "method": "POST"})
    assert not takes_a_slot({"type": "http", "method": "GET"})


def reports(at_s: float = 0.0, **free: int) -> dict[str, Report]:
    return {name: Report(count, at_s, slots=4) for name, count in free.items()}


def test_a_voice_keeps_its_replica_while_that_has_room() -> None:
    """Voices are spread evenly; one that comes or goes takes only its own ones along."""
    slots = Slots()
    homes = {voice: slots.ranked(reports(a=4, b=4, c=4), voice)[0] for voice in VOICES}
    assert all(60 < count < 140 for count in Counter(homes.values()).values())
    left = {voice: slots.ranked(reports(a=4, b=4), voice)[0] for voice in VOICES}
    assert all(left[voice] == home for voice, home in homes.items() if home != "c")
    assert {slots.ranked(reports(a=0, b=1, c=4), voice)[0] for voice in VOICES} == {"b", "c"}


def test_without_a_voice_the_emptiest_is_asked_first() -> None:
    """And all of them are named, the fullest last."""
    assert Slots().ranked(reports(a=1, b=3, c=-2), None) == ["b", "a", "c"]
    assert Slots().ranked({}, None) == []


def test_what_was_sent_is_counted_until_it_is_reported() -> None:
    """A burst does not all go to the replica that had the most room when it was last heard of."""
    slots, got = Slots(), Counter[str]()
    for number in range(7):
        first = slots.ranked(reports(a=4, b=3), None)[0]
        slots.sent(first, str(number), 1.0)
        got[first] += 1
    assert got == {"a": 4, "b": 3}
    assert slots.ranked(reports(2.0, a=1, b=0), None)[0] == "a"  # all of them are in it
    assert slots.ranked(reports(1.0, a=5, b=0), None)[0] == "a"  # they may have been on their way


def test_sockets_that_are_idle_are_spread() -> None:
    """They hold no slot, but will speak where they are: nobody is refused there while others have room."""
    slots, got = Slots(), dict[str, list[str]](a=[], b=[])
    for number in range(8):
        first = slots.ranked(reports(number + 1.0, a=4, b=4), "ada")[0]
        slots.sent(first, str(number), float(number))
        got[first].append(str(number))
    assert len(got["a"]) == len(got["b"]) == 4
    assert slots.ranked(reports(9.0, a=4, b=0), None) == ["a", "b"]  # there are more sockets than slots
    for name, count in (("a", 1), ("b", 2)):  # closed, and not yet reported
        for number in range(count):
            slots.ended(name, got[name][number], 9.5)
        assert slots.ranked(reports(9.0, a=4, b=4), None)[0] == name


def test_what_ended_is_counted_until_it_is_reported() -> None:
    """A replica whose streams have just ended is not passed over for what it said before."""
    slots, full = Slots(), reports(2.0, a=0, b=1)
    for request in ("one", "two"):
        slots.sent("a", request, 1.0)
    assert slots.ranked(full, None)[0] == "b"
    for request in ("one", "two"):
        slots.ended("a", request, 3.0)
    assert slots.ranked(full, None)[0] == "a"
    assert slots.ranked(reports(4.0, a=0, b=1), None)[0] == "b"  # others have taken its slots
    slots.ended("b", "of another router", 3.0)


def test_replicas_that_are_meant() -> None:
    """One alone, or all but one; what is handed on takes a slot."""
    assert Target().allows("a") and not Target(but="a").allows("a") and Target(but="a").allows("b")
    assert Target(only="a").allows("a") and not Target(only="a").allows("b")
    assert Target(scope={}).speaks and not Target(only="a").speaks
