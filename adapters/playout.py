"""What a player that does not say has played, by the clock."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Playout", "PlayoutPart"]


class Playout:
    """A player that plays what it is handed in real time, one utterance after another.

    Args:
        clock: Seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._parts: list[PlayoutPart] = []

    def begin(self) -> PlayoutPart:
        """Return the next utterance."""
        self._parts = [part for part in self._parts if not part.is_over]
        part = PlayoutPart(self)
        self._parts.append(part)
        return part

    @property
    def dry_s(self) -> float:
        """When it will have played everything."""
        return max((part.dry_s for part in self._parts), default=self.clock())

    def drop(self, part: PlayoutPart) -> None:
        """Note that what was not played of an utterance never will be."""
        if part in self._parts:
            self._parts.remove(part)


class PlayoutPart:
    """An utterance that is played. Made by `Playout.begin`."""

    def __init__(self, playout: Playout) -> None:
        self._playout = playout
        self._sent_s = 0.0
        self._is_ended = False
        self.dry_s = playout.clock()
        """When all that was handed over will have been played."""

    def sent(self, seconds: float) -> None:
        """Note audio that was handed over."""
        self.dry_s = max(self._playout.clock(), self._playout.dry_s) + seconds
        self._sent_s += seconds

    def end(self) -> None:
        """Note that no more is handed over."""
        self._is_ended = True

    @property
    def is_over(self) -> bool:
        """Whether all of it was played."""
        return self._is_ended and self.dry_s <= self._playout.clock()

    @property
    def position_s(self) -> float:
        """Seconds of it that were played. On any thread."""
        return max(0.0, self._sent_s - max(0.0, self.dry_s - self._playout.clock()))
