"""How long a client may take to read: who does not listen must not keep a slot from somebody who would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from moss_stream.audio import FRAME_S
from moss_stream.server.state import State

__all__ = ["ClientLag"]

LOOK_S = 0.25
"""How often it is looked whether others wait for a slot, once a client is behind."""


class ClientLag:
    """Measures how far a client is behind.

    Whatever is sent carries up to 80 ms of audio. What the client takes longer, it is behind; reading faster
    makes up for it.

    Args:
        state: Of the server.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._behind_s = 0.0

    @asynccontextmanager
    async def reads(self) -> AsyncIterator[None]:
        """Send something inside of it.

        Raises:
            TimeoutError: The client has read nothing for the idle time, or is behind while others wait.
        """
        loop, settings = asyncio.get_running_loop(), self._state.settings
        began_s = loop.time()
        timer: asyncio.TimerHandle
        async with asyncio.timeout(settings.idle_s) as limit:

            def look() -> None:
                nonlocal timer
                if self._state.synth.metrics.queued:
                    limit.reschedule(loop.time())
                else:
                    timer = loop.call_later(LOOK_S, look)

            timer = loop.call_later(max(0.0, settings.stall_s - self._behind_s), look)
            try:
                yield
            finally:
                timer.cancel()
                self._behind_s = max(0.0, self._behind_s + loop.time() - began_s - FRAME_S)
