"""`moss-stream serve --ray`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from moss_stream.config import EngineOptions
from moss_stream.errors import ConfigError, MissingDependency
from moss_stream.quote import complaint, quoted

if TYPE_CHECKING:
    from moss_stream.server.settings import ServerSettings

__all__ = ["range_of", "serve_cluster"]


def serve_cluster(
    settings: ServerSettings,
    engine: EngineOptions,
    replicas: str,
    model: Any,
    codec: Any,
    device: str,
    dtype: str,
    lexicon: Path | None,
) -> None:
    """Serve by Ray Serve until asked to stop.

    Raises:
        MissingDependency: Ray is not installed.
        ConfigError: An option does not go with it.
    """
    if lexicon is not None:
        raise ConfigError("--lexicon does not go with --ray. Leave one of them out.")
    least, most = range_of(replicas)
    try:
        from moss_stream.cluster.options import ClusterOptions
        from moss_stream.cluster.run import run
    except ImportError as error:
        raise MissingDependency("Serving on a cluster needs Ray Serve", "ray") from error
    if settings.api_keys:  # replicas read them from their environment, not from what Ray stores
        os.environ["MOSS_API_KEY"] = " ".join(settings.api_keys)
    try:
        options = ClusterOptions(
            model=None if model is None else str(model),
            codec=None if codec is None else str(codec),
            device=device,
            dtype=dtype,
            engine=engine,
            server=settings.model_copy(update={"api_keys": (), "is_open": True}),
            min_replicas=least,
            max_replicas=most,
        )
    except ValidationError as error:
        raise ConfigError(f"{complaint(error.errors()[0])}.") from error
    run(options)


def range_of(text: str) -> tuple[int, int]:
    """Return the least and the largest number of replicas in "2" or "1-4".

    Raises:
        ConfigError: It is neither.
    """
    found = re.fullmatch(r"([1-9]\d{0,3})(?:-([1-9]\d{0,3}))?", text)
    if found is None or int(found[2] or found[1]) < int(found[1]):
        raise ConfigError(f"--replicas {quoted(text)}: expected a number such as 2, or a range such as 1-4.")
    return int(found[1]), int(found[2] or found[1])
