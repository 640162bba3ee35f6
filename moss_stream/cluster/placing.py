"""Which replica a request goes to: one with a free slot, and the one that knows its voice. No Ray here."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict, deque
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

__all__ = ["Slots", "affinity_of", "takes_a_slot"]

LAG_S = 1.5
"""So old may be what a replica reported, by the period of its reports and of Serve's: what was sent to it since
is counted by who sent it."""
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


class Slots:
    """The free slots of replicas, as one router knows them."""

    def __init__(self) -> None:
        self._sent: dict[str, deque[float]] = defaultdict(deque)

    def sent(self, replica: str, now_s: float) -> None:
        """Note that a stream was sent to a replica."""
        self._sent[replica].append(now_s)

    def ranked(self, free: Mapping[str, int], affinity: str | None, now_s: float) -> list[str]:
        """Return all replicas, the best one first.

        Of those with a free slot the one that a voice belongs to, by rendezvous hashing: a replica that
        comes or goes takes only its own voices along. Without a voice, and among full ones, the one with
        the most room.

        Args:
            free: The free slots that each replica reported; fewer than none where streams wait.
            affinity: The voice, if it is known.
            now_s: Seconds, never going back.
        """
        for gone in self._sent.keys() - free.keys():
            del self._sent[gone]
        left = {replica: count - self._lately(replica, now_s) for replica, count in free.items()}

        def rank(replica: str) -> tuple[bool, float, float]:
            has_room, weight = left[replica] > 0, _weight(replica, affinity)
            own = weight if has_room and affinity is not None else 0.0
            return has_room, own, left[replica] + weight

        return sorted(free, key=rank, reverse=True)

    def _lately(self, replica: str, now_s: float) -> int:
        sent = self._sent[replica]
        while sent and now_s - sent[0] > LAG_S:
            sent.popleft()
        return len(sent)


def _weight(replica: str, affinity: str | None) -> float:
    """Return a number below 1 that is the same wherever it is computed."""
    digest = hashlib.blake2b(f"{replica}\0{affinity or ''}".encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big") / (1 << 48)
