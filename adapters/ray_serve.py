"""Ray Serve: `serve run moss_stream.adapters.ray_serve:app max_replicas=4`, or a YAML that names it."""

from __future__ import annotations

from moss_stream.cluster.deployment import app
from moss_stream.cluster.options import ClusterOptions

__all__ = ["ClusterOptions", "app"]
