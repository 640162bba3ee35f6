"""Several turns in one voice and one manner."""

from __future__ import annotations

from collections.abc import Callable

from moss_stream.errors import StreamError
from moss_stream.stream import SynthesisStream
from moss_stream.text.history import History
from moss_stream.text_source import Text

__all__ = ["Conversation"]


class Conversation:
    """Keeps voice and history from turn to turn, so that the next answer goes on as the last one was spoken.

    What is remembered is bounded (`SynthesisOptions.history_s`). Of a turn that was cancelled, the sentences
    that were heard whole are remembered.

    Made by `StreamingSynthesizer.conversation`.
    """

    def __init__(self, make: Callable[[Text | None, History], SynthesisStream], history: History) -> None:
        self._make = make
        self._history = history
        self._last: SynthesisStream | None = None

    def stream(self, text: Text | None = None) -> SynthesisStream:
        """Speak the next turn; see `StreamingSynthesizer.stream`.

        Raises:
            StreamError: The last turn is not over: cancel it first.
            SynthesizerClosed: The synthesizer is closed.
        """
        if self._last is not None and not self._last.state.is_over:
            raise StreamError(
                "The last turn of this conversation is not over. Cancel it, or take its audio to the end."
            )
        self._last = self._make(text, self._history)
        return self._last
