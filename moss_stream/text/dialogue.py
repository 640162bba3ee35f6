"""What both sides said: the context of a model that remembers the dialogue."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from moss_stream.errors import TextError
from moss_stream.text.message import Codes, Heard, Said

__all__ = ["MAX_HEARD", "Dialogue", "Saying"]

MAX_TURNS = 1_000
"""More than the longest context holds (32,768 rows, at 30 or more for a turn), so none is missed."""
MAX_HEARD = 10_000
"""Characters of a turn of the other side: ten minutes of speech."""


@dataclass(slots=True)
class Saying:
    """What the model says in one go, while it grows."""

    pieces: list[str] = field(default_factory=list)
    codes: list[Codes] = field(default_factory=list)

    def said(self) -> Said:
        """Return it as it is now."""
        none = np.empty((0, 0), dtype=np.int64)
        return Said(tuple(self.pieces), np.stack(self.codes) if self.codes else none)


class Dialogue:
    """Turns of both sides, the oldest first."""

    def __init__(self) -> None:
        self._turns: list[Heard | Saying] = []

    def heard(self, text: str, codes: Codes | None = None) -> None:
        """Note what the other side said.

        Args:
            text: Its transcript.
            codes: Of its audio, [T, Nq].

        Raises:
            TextError: The text is too long.
        """
        if len(text) > MAX_HEARD:
            raise TextError(
                f"What the user said has {len(text):,} characters; of a turn at most {MAX_HEARD:,} are "
                "remembered. Give the part that matters."
            )
        self._turns.append(Heard(text, codes))
        del self._turns[:-MAX_TURNS]

    def begin(self) -> Saying:
        """Begin to say something."""
        saying = Saying()
        self._turns.append(saying)
        del self._turns[:-MAX_TURNS]
        return saying

    def turns(self) -> tuple[Heard | Said, ...]:
        """Return what was said until now; what has no audio is left out."""
        return tuple(
            turn if isinstance(turn, Heard) else turn.said()
            for turn in self._turns
            if isinstance(turn, Heard) or turn.codes
        )

    def remove(self, saying: Saying) -> None:
        """Take back what nobody heard."""
        self._turns = [turn for turn in self._turns if turn is not saying]

    def forget(self, count: int) -> None:
        """Forget the oldest of what `turns` returned."""
        kept: list[Heard | Saying] = []
        for turn in self._turns:
            if count and (isinstance(turn, Heard) or turn.codes):
                count -= 1
            else:
                kept.append(turn)
        self._turns = kept
