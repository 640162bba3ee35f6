"""One utterance: a chain of segments, each a continuation of the ones before."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from moss_stream.audio import FRAME_S
from moss_stream.config import SynthesisOptions
from moss_stream.text.prompt import Codes, Message

__all__ = ["Turn"]


@dataclass(slots=True)
class _Spoken:
    """A segment and the codes of its audio."""

    text: str
    codes: list[Codes] = field(default_factory=list)


class Turn:
    """Decides what each segment's prompt says.

    A segment is generated as a continuation: the text of the recent segments and its own in the user
    message, the codes of the recent segments as the assistant's prefix. So voice, rate and pitch
    carry over. What is recent is bounded; when it grows over the bound it is cut to half of it, in
    whole segments, so that the prompt's beginning, which the engine keeps, changes seldom.
    """

    def __init__(self, options: SynthesisOptions, voice: Codes | None) -> None:
        self._options = options
        self._voice = voice
        self._history: deque[_Spoken] = deque()
        self._max_frames = int(options.history_s / FRAME_S)

    def begin(self, text: str) -> tuple[Message, Codes | None]:
        """Start the next segment; return its message and the codes it continues."""
        self._trim()
        options, recent = self._options, list(self._history)
        self._history.append(_Spoken(text))
        message = Message(
            text="".join(spoken.text for spoken in self._history).strip(),
            reference=None if self._voice is None else [self._voice],
            tokens=options.tokens,
            instruction=options.instruction,
            quality=options.quality,
            sound_event=options.sound_event,
            ambient_sound=options.ambient_sound,
            language=options.language,
        )
        frames = [codes for spoken in recent for codes in spoken.codes]
        return message, np.stack(frames) if frames else None

    def add(self, codes: Codes) -> None:
        """Note a frame [Nq] of the current segment."""
        self._history[-1].codes.append(codes)

    def max_frames(self) -> int:
        """Return how many frames the current segment may take before it counts as running away.

        Slow speech takes 3 frames for a character, digits and CJK up to 6; a wanted length may be
        missed by half.
        """
        if self._options.tokens is not None:
            return self._options.tokens * 3 // 2 + 25
        return 25 + 6 * len(self._history[-1].text)

    def _trim(self) -> None:
        if self._num_frames() > self._max_frames:
            while self._history and self._num_frames() > self._max_frames // 2:
                self._history.popleft()

    def _num_frames(self) -> int:
        return sum(len(spoken.codes) for spoken in self._history)
