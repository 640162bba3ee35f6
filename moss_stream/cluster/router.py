"""Ray Serve's router of requests, by slots."""

from __future__ import annotations

import pickle
import time
from collections.abc import Mapping
from typing import Any

from ray.serve.request_router import PendingRequest, ReplicaID, RequestRouter, RunningReplica

from moss_stream.cluster.placing import Report, Slots, affinity_of, takes_a_slot
from moss_stream.cluster.target import Target

__all__ = ["SlotRouter"]


class SlotRouter(RequestRouter):  # type: ignore[misc]  # Ray publishes no types
    """Prefers replicas with a free slot, and among them the one that a voice belongs to."""

    def initialize_state(self, **kwargs: Any) -> None:
        """See Ray."""
        self._slots = Slots()

    async def choose_replicas(
        self, candidate_replicas: list[RunningReplica], pending_request: PendingRequest | None = None
    ) -> list[list[RunningReplica]]:
        """See Ray: one replica a rank, so that the next is asked when one is as busy as Serve lets it be."""
        target, scope = _asked(pending_request)
        there = {each.replica_id.unique_id: each for each in candidate_replicas}
        if target is not None:
            # One that is gone, or not yet known here, is not waited for: whoever is asked instead says no.
            there = {name: each for name, each in there.items() if target.allows(name)} or there
        reports = {name: _report(each.routing_stats) for name, each in there.items()}
        affinity = None if scope is None else affinity_of(scope)
        return [[there[name]] for name in self._slots.ranked(reports, affinity)]

    def on_request_routed(
        self, pending_request: PendingRequest, replica_id: ReplicaID, result: object
    ) -> None:
        """See Ray."""
        target, scope = _asked(pending_request)
        if (scope is not None and takes_a_slot(scope)) or (target is not None and target.speaks):
            request = pending_request.metadata.internal_request_id
            self._slots.sent(replica_id.unique_id, request, time.time())

    def on_request_completed(self, replica_id: ReplicaID, internal_request_id: str) -> None:
        """See Ray."""
        self._slots.ended(replica_id.unique_id, internal_request_id, time.time())


def _report(stats: Mapping[str, Any]) -> Report:
    """Return what a replica reported; a new one has not, and is empty."""
    return Report(int(stats.get("free", 1)), float(stats.get("at_s", 0.0)), int(stats.get("slots", 1)))


def _asked(request: PendingRequest | None) -> tuple[Target | None, Mapping[str, Any] | None]:
    """Return what a call between replicas is meant for, or the ASGI scope of a request from outside."""
    first = request.args[0] if request is not None and request.args else None
    if isinstance(first, Target):
        return first, first.scope
    if isinstance(first, bytes):  # pickled by Serve's proxy, in the same cluster
        return None, getattr(pickle.loads(first), "_asgi_scope", None)
    return None, None
