"""An engine whose model is made up and whose delay pattern is real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from fakes import FakeEngine

from moss_stream.config import SynthesisOptions
from moss_stream.engine.delayed import Delayed
from moss_stream.engine.generator import Step
from moss_stream.engine.protocol import EngineInfo, Frame, FrameKind
from moss_stream.families.delay.pattern import delayed
from moss_stream.families.network import DelayFormat, RowFormat
from moss_stream.text.message import Codes, Prompt

START, SLOT, END_SLOT, END, IM_END, WORD = 90, 91, 92, 93, 94, 95


def row_format(count: int) -> RowFormat:
    """The rows of a model with `count` codebooks of 64 codes."""
    return RowFormat(count, 64, 65, 64, end_channel=0, end_id=IM_END, max_rows=1000)


def rows_of(codes: Codes) -> list[list[int]]:
    """The rows of an audio, from its start to the end of the turn."""
    cells, count = delayed(codes, 64), codes.shape[1]
    ids = [SLOT] * (len(codes) - 1) + [END_SLOT] * count
    none = [64] * count
    body = [[text, *row] for text, row in zip(ids, cells.tolist(), strict=True)]
    return [[START, *none], *body, [END, *none], [IM_END, *none]]


@dataclass
class DelayFake(FakeEngine):
    """Makes `frames_per_segment` frames a segment, a row with each step; row 0 starts the audio.

    Attributes:
        num_codebooks: Of its model.
    """

    num_codebooks: int = 32
    _rows: dict[int, list[list[int]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._aligner = Delayed(
            row_format(self.num_codebooks),
            DelayFormat(START, SLOT, END_SLOT),
            self.max_streams,
            torch.device("cpu"),
        )

    @property
    def info(self) -> EngineInfo:
        return replace(super().info, num_codebooks=self.num_codebooks, is_delayed=True)

    def open(self, slot: int, options: SynthesisOptions) -> None:
        super().open(slot, options)
        self._aligner.open(slot, options)

    def begin(self, slot: int, prompt: Prompt, gain: float = 1.0) -> int:
        self._aligner.begin(slot)
        self._rows[slot] = rows_of(np.full((self.frames_per_segment, self.num_codebooks), 7))
        return super().begin(slot, prompt, gain)

    def step(self, slots: Sequence[int]) -> list[Frame]:
        super().step(slots)
        none = [WORD, *[64] * self.num_codebooks]
        rows = [self._rows[slot].pop(0) if slot in slots else none for slot in range(self.max_streams)]
        active = torch.tensor([slot in slots for slot in range(self.max_streams)])
        made = self._aligner.align(Step(torch.tensor(rows), active, self.num_codebooks))
        assert made.whole is not None and made.is_whole is not None
        frames = []
        for slot in slots:
            kind = FrameKind.AUDIO if made.has_frame[slot] else FrameKind.NOTHING
            kind = FrameKind.END if made.is_end[slot] else kind
            pcm = self._samples(1).tobytes()
            frames.append(Frame(kind, made.whole[slot].numpy(), pcm, bool(made.is_whole[slot])))
        return frames
