"""Which replica a request goes to: one with a free slot, and the one that knows its voice. No Ray here."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

__all__ = ["Report", "Slots", "affinity_of", "takes_a_slot"]

TRANSIT_S = 0.05
"""A request may be on its way for so long: it is not yet in a report that is made meanwhile."""
_IN_PATH = re.compile(r"/v1/text-to-speech/([^/]+)")
_IN_QUERY = ("voice", "voice_id", "model")
MAX_NAME = 128
"""Characters of a voice's name that are looked at."""


def takes_a_slot(scope: Mapping[str, Any]) -> bool:
    """Tell whether an ASGI connection may speak: a socket, or a request with a body."""
    return scope["type"] == "websocket" or scope.get("method") == "POST"


def affinity_of(scope: Mapping[str, Any]) -> str | None:
    """Return the voice that a connection names where it can be seen without its body.

    That is the header `x-voice`, the path of ElevenLabs, or `voice`, `voice_id` or `model` in the query.
    """
    header = next((value for name, value in scope.get("headers", ()) if name == b"x-voice"), None)
    if header is not None:
        return str(header.decode("latin-1"))[:MAX_NAME] or None
    if found := _IN_PATH.match(scope.get("path", "")):
        return found[1][:MAX_NAME]
    asked = parse_qs(scope.get("query_string", b"").decode("latin-1"), max_num_fields=100)
    return next((asked[name][0][:MAX_NAME] for name in _IN_QUERY if name in asked), None)


@dataclass(frozen=True, slots=True)
class Report:
    """What a replica said of itself."""

    free: int
    """Its free slots; fewer than none where streams wait."""
    at_s: float
    """When, by the clock of its machine."""
    slots: int
    """All that it has."""


class Slots:
    """The free slots of replicas, as one router knows them.

    Reports are some tenths of a second old; what this router sent, and what ended, since then is known to it.
    """

    def __init__(self) -> None:
        self._sent: dict[str, dict[str, _Sent]] = defaultdict(dict)

    def sent(self, replica: str, request: str, now_s: float) -> None:
        """Note that a request that takes a slot was sent to a replica."""
        self._sent[replica][request] = _Sent(now_s)

    def ended(self, replica: str, request: str, now_s: float) -> None:
        """Note that a request is over."""
        if (sent := self._sent[replica].get(request)) is not None:
            sent.ended_s = now_s

    def ranked(self, reports: Mapping[str, Report], affinity: str | None) -> list[str]:
        """Return all replicas, the best one first.

        Of those with a free slot the one that a voice belongs to, by rendezvous hashing: a replica that
        comes or goes takes only its own voices along. Without a voice, and among full ones, the one with
        the most room. A socket that is open takes room even while it is idle: it stays where it is, and
        will speak.

        Args:
            reports: The latest of each replica.
            affinity: The voice, if it is known.
        """
        for gone in self._sent.keys() - reports.keys():
            del self._sent[gone]
        left = {replica: self._left(replica, report) for replica, report in reports.items()}
        room = {name: min(left[name], report.slots - self._open(name)) for name, report in reports.items()}

        def rank(replica: str) -> tuple[bool, float, float]:
            weight = _weight(replica, affinity)
            own = weight if room[replica] > 0 and affinity is not None else 0.0
            return left[replica] > 0, own, room[replica] + weight

        return sorted(reports, key=rank, reverse=True)

    def _open(self, replica: str) -> int:
        """Return how many requests and sockets this router has there."""
        return sum(sent.ended_s is None for sent in self._sent[replica].values())

    def _left(self, replica: str, report: Report) -> int:
        """Return the free slots of a replica now."""
        known, left = self._sent[replica], report.free
        for request, sent in list(known.items()):
            is_reported = sent.at_s <= report.at_s - TRANSIT_S
            if sent.ended_s is not None and sent.ended_s <= report.at_s:
                del known[request]
            elif sent.ended_s is None and not is_reported:
                left -= 1
            elif sent.ended_s is not None and is_reported:
                left += 1
        return left


@dataclass(slots=True)
class _Sent:
    at_s: float
    ended_s: float | None = None


def _weight(replica: str, affinity: str | None) -> float:
    """Return a number below 1 that is the same wherever it is computed."""
    digest = hashlib.blake2b(f"{replica}\0{affinity or ''}".encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big") / (1 << 48)
