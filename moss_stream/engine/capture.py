"""Capture into CUDA graphs: all launches of a frame, or of a chunk of a prompt, in one."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import torch

from moss_stream.engine.runner import CaptureFailed

__all__ = ["GraphCapture"]

logger = logging.getLogger("moss_stream.engine")
WARM_UPS = 2
"""Runs before the capture, in which libraries allocate and choose what they use."""


class GraphCapture:
    """Captures work as CUDA graphs that share their memory, since only one of them runs at a time.

    Args:
        device: A CUDA device.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)
        self._pool: Any = None
        self.seconds = 0.0
        """Seconds that all captures took, in all."""
        self.bytes = 0
        """Bytes that the captured graphs hold."""

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Capture `work`; see `moss_stream.engine.runner.Capture`."""
        began_s, free_before = time.perf_counter(), torch.cuda.mem_get_info(self._device)[0]
        graph = torch.cuda.CUDAGraph()
        try:
            self._stream.wait_stream(torch.cuda.current_stream(self._device))
            with torch.cuda.stream(self._stream):
                for _ in range(WARM_UPS):
                    work()
            self._stream.synchronize()  # they read the host's memory, which is about to be written
            # Other threads, which encode recordings, may allocate meanwhile.
            mode = "thread_local"
            with torch.cuda.graph(graph, self._pool, self._stream, capture_error_mode=mode):
                work()
            torch.cuda.current_stream(self._device).wait_stream(self._stream)
        except Exception as error:  # out of memory, or whatever a library says while it is captured
            raise CaptureFailed(str(error).partition("\n")[0]) from error
        self._pool = graph.pool()
        self.seconds += time.perf_counter() - began_s
        self.bytes += max(0, free_before - torch.cuda.mem_get_info(self._device)[0])
        logger.debug("Captured in %.2f s; all captured graphs hold %.0f MB.", self.seconds, self.bytes / 1e6)
        return graph.replay
