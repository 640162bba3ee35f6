"""Prompts are built beside the frames: tokenizing takes its time, and no listener is to wait for it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from moss_stream.errors import SynthesizerClosed
from moss_stream.text.message import Codes, Message, Prompt

__all__ = ["Order", "PromptThreads"]

Order = Callable[[Message, Codes | None], "Future[Prompt]"]
"""Asks for a prompt, and returns at once."""

NUM_THREADS = 2
"""So that one very long text does not keep the next stream waiting."""


class PromptThreads:
    """An `Order` that is carried out on threads of its own.

    Args:
        build: Makes a prompt.
        wake: Called when one is ready, or cannot be made.
    """

    def __init__(self, build: Callable[[Message, Codes | None], Prompt], wake: Callable[[], None]) -> None:
        self._build = build
        self._wake = wake
        self._pool = ThreadPoolExecutor(NUM_THREADS, "moss-stream-prompts")

    def __call__(self, message: Message, prefix: Codes | None) -> Future[Prompt]:
        """Ask for a prompt; its error is that of the future."""
        try:
            future = self._pool.submit(self._build, message, prefix)
        except RuntimeError as error:  # no thread starts when the interpreter shuts down
            future = Future()
            ended = SynthesizerClosed(f"The program ends, and nothing is spoken any more ({error}).")
            future.set_exception(ended)
        future.add_done_callback(lambda _: self._wake())
        return future

    def close(self) -> None:
        """Build nothing that has not been begun."""
        self._pool.shutdown(wait=False, cancel_futures=True)
