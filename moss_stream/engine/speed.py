"""How fast the machine is now, for those who play what it makes."""

from __future__ import annotations

import logging

from moss_stream.engine.scheduler import Costs

__all__ = ["Speed"]

logger = logging.getLogger("moss_stream.engine")


class Speed:
    """Written on the engine's thread, read on any.

    Args:
        costs: As they are learned.
    """

    def __init__(self, costs: Costs) -> None:
        self._costs = costs
        self._has_warned = False
        self.expected_rtf: float | None = None
        """Seconds that a second of audio is expected to take; None if nothing is known."""

    def update(self, num_active: int) -> None:
        """Note how many streams are spoken; warn, once, if the machine is slower than real time.

        Args:
            num_active: Streams; where there is none, the expectation is that of one.
        """
        self.expected_rtf = self._costs.rtf(max(1, num_active))
        if not self._has_warned and self.expected_rtf is not None and self.expected_rtf > 1.0:
            self._has_warned = True
            logger.warning(
                "This machine needs %.2f s for each second of speech, so speech that is played while it is "
                "made will pause now and then. Use fewer codebooks (n_vq, --n-vq), a faster device "
                "(--device), or the embedded voice (no model, no --model).",
                self.expected_rtf,
            )
