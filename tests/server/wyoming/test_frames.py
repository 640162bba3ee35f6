from __future__ import annotations

import asyncio

import pytest

from moss_stream.server.http.problems import Problem
from moss_stream.server.wyoming.frames import WyomingEvent, pack_event, read_event

MOST = 1000


async def read(data: bytes) -> list[WyomingEvent]:
    """All events in some bytes."""
    reader = asyncio.StreamReader(limit=MOST)
    reader.feed_data(data)
    reader.feed_eof()
    events = []
    while (event := await read_event(reader, MOST)) is not None:
        events.append(event)
    return events


async def test_what_is_packed_is_read() -> None:
    """One after the other, with data and payload or without."""
    data = (
        pack_event("ping")
        + pack_event("synthesize", {"text": "für"})
        + pack_event("audio", {"a": 1}, b"\0" * 9)
    )
    assert await read(data) == [
        WyomingEvent("ping"),
        WyomingEvent("synthesize", {"text": "für"}),
        WyomingEvent("audio", {"a": 1}),
    ]


async def test_data_may_stand_in_the_line() -> None:
    """As older clients send it."""
    assert await read(b'{"type": "a", "data": {"text": "x"}}\n') == [WyomingEvent("a", {"text": "x"})]


@pytest.mark.parametrize("data", [b"", b'{"type": "a"', b'{"type": "a", "data_length": 9}\n{"t'])
async def test_an_end_in_the_middle_is_an_end(data: bytes) -> None:
    """Nothing can be told any more."""
    assert [event.type for event in await read(data)] in ([], ["a"])


@pytest.mark.parametrize(
    "data",
    [
        b"no json\n",
        b"[]\n",
        b"{}\n",
        b'{"type": 7}\n',
        b'{"type": "a", "data": []}\n',
        b'{"type": "a", "data_length": "9"}\n',
        b'{"type": "a", "payload_length": -1}\n',
        b'{"type": "a", "data_length": 2}\n[]',
        b"[" * 900 + b"\n",
        b"\xff\xfe\n",
        b'{"type": "a", "data_length": 1001}\n',
        b'{"type": "a", "payload_length": 99999999999999}\n',
        b"x" * 2000 + b"\n",
    ],
)
async def test_what_is_no_event_is_refused(data: bytes) -> None:
    """Before its data are waited for."""
    with pytest.raises(Problem):
        await read(data)
