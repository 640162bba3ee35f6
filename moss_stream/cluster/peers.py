"""The other replicas of a deployment, as one of them sees them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import ray
from ray import serve
from starlette.types import Message

from moss_stream.cluster.target import Target

__all__ = ["Peers"]

FIGURES_S = 2.0
"""A replica that does not say its figures by then is left out of them."""

logger = logging.getLogger("moss_stream.cluster")


class Peers:
    """`moss_stream.cluster.hand_on.Others`, by Serve's own handles. To be made within a replica."""

    def __init__(self) -> None:
        context = serve.get_replica_context()
        self.name = str(context.replica_id.unique_id)
        self._prefix = f"SERVE_REPLICA::{context.app_name}#{context.deployment}#"
        self._handle = serve.get_deployment_handle(context.deployment, context.app_name)

    async def names(self) -> list[str]:
        """Return the names of the others: Serve registers replicas as named actors."""
        found = await asyncio.to_thread(ray.util.list_named_actors, all_namespaces=True)
        names = [str(each["name"]) for each in found]
        there = [name.removeprefix(self._prefix) for name in names if name.startswith(self._prefix)]
        return [name for name in there if name != self.name]

    async def hand_on(self, scope: Mapping[str, Any], body: bytes) -> AsyncGenerator[Message]:
        """See `Others`."""
        if not await self.names():
            return
        method = self._handle.options(method_name="relayed", stream=True)
        answer = method.remote(Target(but=self.name, scope=scope), body)
        is_over = False
        try:
            async for message in answer:
                yield message
            is_over = True
        finally:
            if not is_over:
                answer.cancel()

    async def figures(self) -> dict[str, str]:
        """Return the figures of the others, of those that answer."""
        method = self._handle.options(method_name="figures")

        async def ask(name: str) -> object:
            async with asyncio.timeout(FIGURES_S):
                return await method.remote(Target(only=name))

        names = await self.names()
        texts = await asyncio.gather(*map(ask, names), return_exceptions=True)
        for name, text in zip(names, texts, strict=True):
            if isinstance(text, BaseException):
                logger.warning("The replica %s does not say its figures (%s).", name, type(text).__name__)
        return {name: text for name, text in zip(names, texts, strict=True) if isinstance(text, str)}
