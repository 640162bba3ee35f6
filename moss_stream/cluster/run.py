"""`moss-stream serve --ray`: a cluster, or a part of one, until it is asked to stop."""

from __future__ import annotations

import signal
import socket
import threading

import ray
import typer
from ray import serve
from ray.serve.config import HTTPOptions
from ray.serve.schema import LoggingConfig

from moss_stream.cluster.connect import connect
from moss_stream.cluster.deployment import app
from moss_stream.cluster.options import ClusterOptions

__all__ = ["APP", "free_port", "run", "start"]

APP = "moss-stream"


def start(options: ClusterOptions, port: int | None = None) -> str:
    """Deploy on the cluster that RAY_ADDRESS names, or on one of this machine's own; return the address.

    Args:
        options: What is served, and where.
        port: Instead of that of the options.
    """
    connect()
    host, wanted = options.server.host, options.server.port if port is None else port
    wanted = wanted or free_port(host)
    serve.start(http_options=HTTPOptions(host=host, port=wanted))
    serve.run(app(options), name=APP, route_prefix="/", logging_config=_quiet())
    return f"http://{host}:{wanted}"


def run(options: ClusterOptions) -> None:
    """Serve until SIGINT or SIGTERM; then let streams end and stop what was started."""
    address, stopped = start(options), threading.Event()
    for kind in (signal.SIGINT, signal.SIGTERM):  # after Ray, which has handlers of its own
        signal.signal(kind, lambda *_: stopped.set())
    typer.echo(f"Serving on {address} with Ray Serve. Ctrl+C stops it.")
    stopped.wait()
    serve.shutdown()
    ray.shutdown()


def free_port(host: str) -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as found:
        found.bind((host, 0))
        return int(found.getsockname()[1])


def _quiet() -> LoggingConfig:
    """Return what keeps Serve from writing a line for each request."""
    return LoggingConfig(enable_access_log=False)
