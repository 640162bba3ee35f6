"""A sound device that is opened again when it goes away."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from moss_stream import SinkError

from .sound_device import Device, reopen_output

__all__ = ["LastingDevice"]

logger = logging.getLogger("moss_stream.speaker")
RETRY_S = 0.5
"""A device that was plugged in again is there within a second or two; looking oftener only fills the log."""


class LastingDevice:
    """One output after another, as devices come and go; opens the first one.

    Args:
        open_one: Opens a device and returns PortAudio's stream, or raises `SinkError`; called on any thread.
        device: The one that is wanted.
        patience_s: How long to look for another one.
        on_opened: Given every stream that is opened.
        on_failed: Given the reason why there is none any more.
    """

    def __init__(
        self,
        open_one: Callable[[Device], Any],
        device: Device,
        patience_s: float,
        on_opened: Callable[[Any], None],
        on_failed: Callable[[SinkError], None],
    ) -> None:
        self._open_again = lambda: reopen_output(device, open_one)
        self._patience_s = patience_s
        self._on_opened = on_opened
        self._on_failed = on_failed
        self._looking: asyncio.Task[None] | None = None
        self._is_closed = False
        self._use(open_one(device))

    @property
    def latency_s(self) -> float:
        """What the device buffers."""
        return float(self._stream.latency)

    def check(self, is_stuck: bool = False) -> None:
        """Look for another device, if this one has stopped or is stuck, and nobody does that yet."""
        is_looking = self._looking is not None and not self._looking.done()
        if not self._is_closed and not is_looking and (is_stuck or not self._stream.active):
            self._looking = asyncio.create_task(self._look())

    async def aclose(self) -> None:
        """Close it, and stop looking."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])
        await asyncio.to_thread(_close, self._stream)

    def _use(self, stream: Any) -> None:
        self._stream = stream
        self._on_opened(stream)

    async def _look(self) -> None:
        is_lost = True
        while is_lost:
            logger.warning("The sound device has gone. Trying to go on with it, or with another one.")
            await asyncio.to_thread(_close, self._stream)
            try:
                async with asyncio.timeout(self._patience_s):
                    self._use(await self._found())
            except TimeoutError:
                self._on_failed(
                    SinkError(
                        f"The sound device has gone, and for {self._patience_s:g} s none could be opened. "
                        "Connect one, and open a new SpeakerSink."
                    )
                )
                return
            is_lost = not self._stream.active

    async def _found(self) -> Any:
        """Try again and again, each time on a thread."""
        while True:
            opening = asyncio.ensure_future(asyncio.to_thread(self._open_again))
            try:
                return await asyncio.shield(opening)
            except SinkError:
                await asyncio.sleep(RETRY_S)
            except asyncio.CancelledError:
                opening.add_done_callback(_close_opened)
                raise


def _close_opened(opening: asyncio.Future[Any]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        _close(opening.result())


def _close(stream: Any) -> None:
    with contextlib.suppress(Exception):  # whatever PortAudio says of a device that has gone
        stream.abort()  # unlike `close` it does not wait for the device
    with contextlib.suppress(Exception):
        stream.close()
