"""`/metrics` of all replicas, told apart by the label `replica`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["AllFigures", "merged"]


def merged(texts: Mapping[str, str]) -> bytes:
    """Return the figures of several replicas as one text in Prometheus' format.

    Args:
        texts: The figures of each, by its name.
    """
    registry = CollectorRegistry()
    registry.register(_Merged(texts))
    return generate_latest(registry)


class _Merged:
    """A collector of Prometheus' client."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def collect(self) -> Iterator[Metric]:
        """Yield each metric once, with the samples of all replicas."""
        found: dict[str, Metric] = {}
        for replica, text in sorted(self._texts.items()):
            for family in text_string_to_metric_families(text):
                metric = found.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    metric.add_sample(sample.name, {**sample.labels, "replica": replica}, sample.value)
        yield from found.values()


class AllFigures:
    """Adds the figures of the others to those of a replica, for whoever may see them.

    Args:
        app: Of the replica, which checks the key.
        gather: Returns the figures of all, by the name of the replica.
    """

    def __init__(self, app: ASGIApp, gather: Callable[[], Awaitable[Mapping[str, str]]]) -> None:
        self._app = app
        self._gather = gather

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http" or scope["path"] != "/metrics":
            await self._app(scope, receive, send)
            return
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await self._app(scope, receive, keep)
        if answer[0]["status"] == 200:
            body = merged(await self._gather())
            headers = [(b"content-type", CONTENT_TYPE_LATEST.encode())]
            answer = [
                {"type": "http.response.start", "status": 200, "headers": headers},
                {"type": "http.response.body", "body": body},
            ]
        for message in answer:
            await send(message)
