"""How much may be written that cannot be spoken, or not yet."""

from __future__ import annotations

from moss_stream.errors import TextError

__all__ = ["TextLimits"]

MAX_SILENT = 1_000_000
"""Characters in a row of which none is read out: more than any model thinks or any block of code holds."""
MAX_WHOLE = 100_000
"""Characters that are kept to be spoken as one segment; no context holds as many."""


class TextLimits:
    """Of one stream. Text that is spoken needs none: it is taken no faster than it is spoken.

    Args:
        is_whole: The text is spoken as one segment, after its end.
    """

    def __init__(self, is_whole: bool) -> None:
        self._is_whole = is_whole
        self._num_silent = self._num_read = 0

    def count(self, num_written: int, num_read: int) -> None:
        """Note a piece of text, and how many characters were read out of it.

        Raises:
            TextError: There is too much.
        """
        self._num_silent = 0 if num_read else self._num_silent + num_written
        self._num_read += num_read
        if self._num_silent > MAX_SILENT:
            raise TextError(
                f"Nothing of the last {MAX_SILENT:,} characters is read out. Is a code block or a tag never "
                "closed? Leave out what is not for the listener, or make a new stream."
            )
        if self._is_whole and self._num_read > MAX_WHOLE:
            raise TextError(
                f"With `tokens` a text is spoken as one segment; this one has over {MAX_WHOLE:,} characters. "
                "Leave `tokens` out, or make a stream for each part."
            )
