"""An engine that costs nothing but the time a frame is said to take: for what is around the model."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from moss_stream.config import SynthesisOptions
from moss_stream.engine.protocol import EngineInfo, Frame, FrameKind
from moss_stream.text.message import Codes, Message, Prompt

__all__ = ["ToneEngine"]

NUM_CODEBOOKS = 4
FRAME_SAMPLES = 1920
"""80 ms at 24 kHz."""


class ToneEngine:
    """Says each segment as a tone of a fixed length; a step of all streams takes as long as a small GPU's.

    Args:
        max_streams: Slots.
        segment_s: Seconds of audio of a segment.
        step_s: Seconds that a step takes, for whatever number of streams.
    """

    def __init__(self, max_streams: int, segment_s: float, step_s: float) -> None:
        self.info = EngineInfo(
            NUM_CODEBOOKS,
            "a tone",
            max_streams=max_streams,
            frame_costs_s={1: step_s, max_streams: step_s},
        )
        self._num_frames, self._step_s = round(segment_s / 0.08), step_s
        self._left = [0] * max_streams
        tone = 8000 * np.sin(2 * np.pi * 500 * np.arange(FRAME_SAMPLES) / 24_000)
        self._pcm = tone.astype("<i2").tobytes()

    @property
    def captured_s(self) -> float:
        """See the protocol."""
        return 0.0

    def capture(self, n_vq: int | None) -> None:
        """See `Engine`."""

    def open(self, slot: int, options: SynthesisOptions) -> None:
        """See `Engine`."""
        self._left[slot] = 0

    def prompt(self, message: Message, prefix: Codes | None) -> Prompt:
        """See `Engine`."""
        return Prompt(message, prefix, np.zeros((1, 1 + NUM_CODEBOOKS), dtype=np.int64))

    def begin(self, slot: int, prompt: Prompt, gain: float = 1.0) -> int:
        """See `Engine`."""
        self._left[slot] = self._num_frames
        return 4000

    def prefill(self, slot: int) -> bool:
        """See `Engine`."""
        return True

    def give(self, slot: int, text: str, is_last: bool) -> None:
        """See `Engine`; it reads whole segments."""

    def is_fed(self, slot: int) -> bool:
        """See `Engine`."""
        return True

    def num_unread(self, slot: int) -> int:
        """See `Engine`."""
        return 0

    def step(self, slots: Sequence[int]) -> list[Frame]:
        """See `Engine`."""
        time.sleep(self._step_s)
        return [self._frame(slot) for slot in slots]

    def encode(self, samples: npt.NDArray[np.float32]) -> Codes:
        """See `Engine`."""
        return np.zeros((len(samples) // FRAME_SAMPLES, NUM_CODEBOOKS), dtype=np.int64)

    def _frame(self, slot: int) -> Frame:
        self._left[slot] -= 1
        codes = np.ones(NUM_CODEBOOKS, dtype=np.int64)
        if self._left[slot] < 0:
            return Frame(FrameKind.END, codes, b"", is_whole=False)
        return Frame(FrameKind.AUDIO, codes, self._pcm, is_whole=True)
