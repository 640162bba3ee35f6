"""What the command line reads and shows."""

from __future__ import annotations

import asyncio
import codecs
import sys
import threading
import time
from collections.abc import AsyncIterator

from rich.console import Console

__all__ = ["Progress", "read_stdin"]


async def read_stdin() -> AsyncIterator[str]:
    """Yield standard input as it arrives, decoded as UTF-8.

    It is read on a thread of its own, which works alike for terminals, pipes and files.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[str | None] = asyncio.Queue()

    def read() -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        data = b"-"
        try:
            while data and sys.stdin is not None:  # None: the shell closed it
                data = sys.stdin.buffer.read1(65_536)  # type: ignore[union-attr]
                _put(decoder.decode(data, final=not data))
        finally:
            _put(None)  # whatever happens here, the reader must not wait for ever

    def _put(item: str | None) -> None:
        try:
            loop.call_soon_threadsafe(queue.put_nowait, item)
        except RuntimeError:  # the program is ending
            pass

    threading.Thread(target=read, daemon=True).start()
    while (delta := await queue.get()) is not None:
        yield delta


class Progress:
    """A line with elapsed time, speech made, time to first audio and RTF.

    On a terminal it is rewritten as the speech goes on; elsewhere it is printed once, at the end.

    Args:
        console: Where to show it.
        is_paced: Whether a loudspeaker sets the pace; the elapsed time then says nothing of the RTF.
    """

    def __init__(self, console: Console, is_paced: bool = False) -> None:
        self._status = console.status("waiting for the first audio") if console.is_terminal else None
        self._console = console
        self._is_paced = is_paced
        self._began_s = time.perf_counter()
        self._first_s: float | None = None
        self._speech_s = 0.0
        if self._status:
            self._status.start()

    def add(self, duration_s: float) -> None:
        """Note a chunk that has just arrived."""
        if self._first_s is None and duration_s:
            self._first_s = time.perf_counter() - self._began_s
        self._speech_s += duration_s
        if self._status:
            self._status.update(self._line())

    def done(self) -> None:
        """Note that the last chunk has arrived."""
        line = self._line()
        self.close()
        self._console.print(line, highlight=False)

    def close(self) -> None:
        """Take the live line away."""
        if self._status:
            self._status.stop()

    def _line(self) -> str:
        elapsed_s = time.perf_counter() - self._began_s
        first = "none yet" if self._first_s is None else f"{self._first_s * 1000:.0f} ms"
        line = f"{self._speech_s:.2f} s of speech in {elapsed_s:.2f} s, first audio {first}"
        if self._is_paced:
            return line
        return f"{line}, RTF " + (f"{elapsed_s / self._speech_s:.2f}" if self._speech_s else "-")
