"""The application as Ray Serve deploys it."""

from __future__ import annotations

from typing import Any

from ray import serve
from ray.serve.config import AutoscalingConfig, AutoscalingPolicy, RequestRouterConfig

from moss_stream.cluster.options import ClusterOptions
from moss_stream.cluster.replica import Replica
from moss_stream.cluster.router import SlotRouter
from moss_stream.cluster.scaling import BySlots

__all__ = ["NAME", "app"]

NAME = "MossStream"
REPORTS_S = 0.5
"""How often a replica says how many slots are free and in use; routers count what they send in between."""
LOOK_BACK_S = 2.0
"""Over so many seconds of reports slots in use are averaged; delays of scaling come on top."""
HEALTH_S = 2.0
"""How often a replica is asked whether its engine works."""


def app(args: ClusterOptions) -> serve.Application:
    """Return what `serve run moss_stream.adapters.ray_serve:app` deploys.

    Args:
        args: From the `args` of the application in the YAML, or from the command line.
    """
    options = ClusterOptions.model_validate(args.model_dump() if isinstance(args, ClusterOptions) else args)
    deployment = serve.deployment(
        serve.ingress()(Replica),
        name=NAME,
        ray_actor_options={"num_cpus": options.num_cpus, "num_gpus": options.num_gpus},
        # Idle sockets count here and hold no slot: the replica admits by slots itself.
        max_ongoing_requests=options.server.max_connections,
        request_router_config=RequestRouterConfig(
            request_router_class=SlotRouter, request_routing_stats_period_s=REPORTS_S
        ),
        health_check_period_s=HEALTH_S,
        graceful_shutdown_timeout_s=options.drain_s,
        graceful_shutdown_wait_loop_s=REPORTS_S,
        **_size(options),
    )
    return deployment.bind(options.model_dump_json())


def _size(options: ClusterOptions) -> dict[str, Any]:
    """Return how many replicas there are."""
    if options.min_replicas == options.max_replicas:
        return {"num_replicas": options.min_replicas}
    slots = {"slots": options.engine.max_streams, "target_use": options.target_use}
    scaling = AutoscalingConfig(
        min_replicas=options.min_replicas,
        max_replicas=options.max_replicas,
        upscale_delay_s=options.upscale_delay_s,
        downscale_delay_s=options.downscale_delay_s,
        look_back_period_s=LOOK_BACK_S,
        policy=AutoscalingPolicy(policy_function=BySlots, policy_kwargs=slots),
    )
    return {"autoscaling_config": scaling}
