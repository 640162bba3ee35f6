"""How events travel: a line of JSON, then data and a payload of the lengths that it names."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from moss_stream.server.http.problems import Problem

__all__ = ["WyomingEvent", "pack_event", "read_event"]

VERSION = "1.10.2"
"""Of the published package whose messages these are."""


@dataclass(frozen=True, slots=True)
class WyomingEvent:
    """What one side tells the other."""

    type: str
    data: dict[str, Any] = field(default_factory=dict)


async def read_event(reader: asyncio.StreamReader, most: int) -> WyomingEvent | None:
    """Return the next event without its payload, which for us is always audio; None at the end.

    Args:
        reader: Made with a limit of `most`.
        most: Bytes of a line, of its data and of its payload.

    Raises:
        Problem: What comes is none, or is too large. What follows it cannot be read.
    """
    try:
        line = await reader.readline()
    except ValueError as error:  # by asyncio: the limit
        raise _too_large(most) from error
    if not line.endswith(b"\n"):
        return None
    header = _object(line)
    data = {} if header.get("data") is None else header["data"]
    extra = await _part(reader, header.get("data_length"), most)
    await _part(reader, header.get("payload_length"), most)
    if extra:
        data = {**(data if isinstance(data, dict) else {}), **_object(extra)}
    if not isinstance(header.get("type"), str) or not isinstance(data, dict):
        raise _invalid()
    return WyomingEvent(header["type"], data)


def pack_event(kind: str, data: dict[str, Any] | None = None, payload: bytes = b"") -> bytes:
    """Return an event as bytes."""
    header: dict[str, Any] = {"type": kind, "version": VERSION}
    body = json.dumps(data).encode() if data else b""
    if body:
        header["data_length"] = len(body)
    if payload:
        header["payload_length"] = len(payload)
    return json.dumps(header).encode() + b"\n" + body + payload


async def _part(reader: asyncio.StreamReader, length: Any, most: int) -> bytes:
    if length is None:
        return b""
    if not isinstance(length, int) or length < 0:
        raise _invalid()
    if length > most:
        raise _too_large(most)
    try:
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        return b""  # the next line is not there either


def _object(text: bytes) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _invalid() from error
    if not isinstance(content, dict):
        raise _invalid()
    return content


def _invalid() -> Problem:
    return Problem(400, "invalid_message", "This is no event of Wyoming. Send a line of JSON with a type.")


def _too_large(most: int) -> Problem:
    return Problem(413, "too_large", f"An event is larger than {most} bytes.")
