"""What a cluster serves, and with how much."""

from __future__ import annotations

import os
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from moss_stream.config import EngineOptions
from moss_stream.server.settings import ServerSettings

__all__ = ["ClusterOptions"]

ENGINE = EngineOptions(max_queue=8, max_queue_s=5.0)
"""As `moss-stream serve` has it: whoever listens has given up by then."""


class ClusterOptions(BaseModel):
    """Arguments of the application, in Python or as `args` in a YAML of Ray Serve.

    Keys are not written into files: they come from the environment, MOSS_API_KEY, with spaces between
    several.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = None
    """Folder or name on the hub; None: the embedded voice."""
    codec: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    engine: EngineOptions = ENGINE
    """Of each replica; `max_streams` are its slots."""
    server: ServerSettings = ServerSettings()
    """Of each replica; where it listens is a matter of Ray Serve. `voices` is a place that all reach."""
    min_replicas: int = Field(default=1, ge=1, le=10_000)
    max_replicas: int = Field(default=1, ge=1, le=10_000)
    target_use: float = Field(default=0.7, gt=0, le=1)
    """Share of all slots that is to be in use; the rest is there for who comes while a replica starts."""
    upscale_delay_s: float = Field(default=5.0, ge=0, le=86_400)
    """For so long more replicas must have been wanted before one is started."""
    downscale_delay_s: float = Field(default=300.0, ge=0, le=86_400)
    """For so long fewer must have been; a model takes a minute to load."""
    num_cpus: float = Field(default=1.0, ge=0, le=1024)
    """That Ray keeps for each replica."""
    num_gpus: float = Field(default=0.0, ge=0, le=64)
    drain_s: float = Field(default=120.0, gt=0, le=86_400)
    """How long streams may go on in a replica that is about to end."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.server.wyoming is not None:
            raise ValueError("server.wyoming: Wyoming's clients are served by one process, not by a cluster")
        if self.max_replicas < self.min_replicas:
            raise ValueError(f"max_replicas is {self.max_replicas}, below min_replicas, {self.min_replicas}")
        return self

    def settings(self) -> ServerSettings:
        """Return the settings of a replica, with the keys of its environment."""
        keys = tuple(os.environ.get("MOSS_API_KEY", "").split())
        return self.server.model_copy(update={"api_keys": keys}) if keys else self.server
