"""One replica: a synthesizer, and the server's application on it."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from starlette.types import ASGIApp, Message

from moss_stream import StreamingSynthesizer
from moss_stream.cluster.figures import AllFigures
from moss_stream.cluster.hand_on import HandOn, relayed
from moss_stream.cluster.options import ClusterOptions
from moss_stream.cluster.peers import Peers
from moss_stream.cluster.scaling import IN_USE
from moss_stream.cluster.target import Target
from moss_stream.errors import EngineError
from moss_stream.prometheus import register
from moss_stream.server.app import create_app

__all__ = ["Replica"]

CLOSE_S = 5.0
"""Serve has waited for the streams already."""


class Replica:
    """What Ray Serve runs, once for each slot-holding process.

    Args:
        options: How `ClusterOptions` were written down, in JSON.
    """

    async def __init__(self, options: str) -> None:  # type: ignore[misc]  # Serve awaits it
        logging.getLogger("moss_stream").setLevel(logging.INFO)
        self._options = ClusterOptions.model_validate_json(options)
        self._synth = await StreamingSynthesizer.load(
            self._options.model,
            codec=self._options.codec,
            device=self._options.device,
            dtype=self._options.dtype,
            options=self._options.engine,
        )
        await self._synth.warmup()  # Serve sends nothing before
        self._peers = Peers()

    def __serve_build_asgi_app__(self) -> ASGIApp:
        """Return what answers requests."""
        self._app: ASGIApp = create_app(self._synth, self._options.settings())
        return HandOn(AllFigures(self._app, self._all_figures), self._peers)

    def check_health(self) -> None:
        """Tell Serve whether this replica can go on; one that cannot is replaced."""
        if not self._synth.is_ready:
            raise EngineError(
                "The engine of this replica has failed. Its log says why; Serve starts another."
            )

    def record_routing_stats(self) -> dict[str, Any]:
        """Tell routers how many slots are free; fewer than none where streams wait."""
        slots = self._options.engine.max_streams
        return {"free": slots - self._in_use(), "at_s": time.time(), "slots": slots}

    def record_autoscaling_stats(self) -> dict[str, float]:
        """Tell the autoscaler how many slots are in use."""
        return {IN_USE: float(self._in_use())}

    async def relayed(self, target: Target, body: bytes) -> AsyncIterator[Message]:
        """Answer a request of a full replica."""
        if target.allows(self._peers.name):
            async for message in relayed(self._app, target.scope or {}, body):
                yield message

    def figures(self, target: Target) -> str | None:
        """Return the figures of this replica, in Prometheus' format; None if another one is meant."""
        if not target.allows(self._peers.name):
            return None
        registry = CollectorRegistry()
        register(lambda: self._synth.metrics, registry)
        return generate_latest(registry).decode()

    async def _all_figures(self) -> dict[str, str]:
        return {self._peers.name: self.figures(Target()) or "", **await self._peers.figures()}

    def _in_use(self) -> int:
        metrics = self._synth.metrics
        return metrics.active + metrics.queued

    async def __del__(self) -> None:
        """End the engine's thread; Serve awaits this."""
        await self._synth.close(drain=True, drain_s=CLOSE_S)
