"""How much audio a listener still has in hand: the one thing that flows back from a sink."""

from __future__ import annotations

import math
from collections.abc import Callable

from moss_stream.errors import MossError, SinkError

__all__ = ["Lead"]

ROUNDING_S = 1e-6
"""A sink adds up what it has played in its own way; less than a sample is nothing left."""


class Lead:
    """Of one stream.

    A sink says what it has really played. Where none does, playback is assumed to begin with the first
    chunk and to wait for each late one, as a player would.
    """

    def __init__(self) -> None:
        self._put_s = 0.0
        self._dry_s: float | None = None
        self._position: Callable[[], float] | None = None

    def attach(self, position: Callable[[], float]) -> None:
        """Take the seconds really played from `position`, which may be called on any thread."""
        self._position = position

    def put(self, duration_s: float, now_s: float) -> None:
        """Note audio that was sent."""
        self._put_s += duration_s
        self._dry_s = max(now_s, self._dry_s if self._dry_s is not None else now_s) + duration_s

    @property
    def played_s(self) -> float | None:
        """Seconds really played; None if no sink says.

        Raises:
            SinkError: The sink cannot say it.
        """
        return None if self._position is None else _seconds(self._position)

    def seconds(self, now_s: float) -> float:
        """Return how long the listener can still be kept; negative for how long it has waited already.

        Raises:
            SinkError: The sink cannot say what it has played.
        """
        if self._dry_s is None:
            return 0.0
        if self._position is not None and (left_s := self._put_s - _seconds(self._position)) > ROUNDING_S:
            return left_s
        waited_s = self._dry_s - now_s
        return waited_s if self._position is None else min(0.0, waited_s)


def _seconds(position: Callable[[], float]) -> float:
    """Return what a sink says; it is somebody else's code, and may say or raise anything."""
    try:
        seconds = float(position())
    except MossError:
        raise
    except Exception as error:
        raise SinkError(
            f"The sink cannot say what it has played ({type(error).__name__}: {error}). "
            "Its position_s must give seconds on any thread."
        ) from error
    if not math.isfinite(seconds):
        raise SinkError(f"The sink says that it has played {seconds} s. Its position_s must give seconds.")
    return seconds
