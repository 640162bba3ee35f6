"""The cluster that is used: one that runs already, or one on this machine."""

from __future__ import annotations

import os

import ray

__all__ = ["connect"]

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "moss_stream.cluster.farewell:middlewares",
    # Ray's processes give way to all others of the machine, with a niceness of 15. Speech has deadlines.
    "RAY_worker_niceness": "0",
}
"""Of Ray's processes, unless set; in a cluster that runs already, its nodes must have it."""


def connect() -> None:
    """Join the cluster that RAY_ADDRESS names, or start one of this machine's own."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if not ray.is_initialized():
        ray.init(log_to_driver=False, include_dashboard=False, configure_logging=False)
