"""Stand-ins at the borders the design names: the engine."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from moss_stream import EngineOptions, StreamingSynthesizer
from moss_stream.audio import FRAME_SAMPLES
from moss_stream.config import SynthesisOptions
from moss_stream.engine.protocol import EngineInfo, Frame
from moss_stream.engine.worker import Worker
from moss_stream.errors import TextError
from moss_stream.text.prompt import Codes, Message

NUM_CODEBOOKS = 4


@dataclass
class FakeEngine:
    """Speaks `frames_per_segment` frames for each segment; frame n holds the sample value n + 1.

    Attributes:
        log: What was asked of it, in order.
        gate: If given, every step waits for it.
        fail_at: The step (counted over the engine's life) that raises RuntimeError.
        refuse: A text that `begin` refuses.
        silent_attempts: How many segments end before their first frame.
    """

    frames_per_segment: int = 3
    gate: threading.Semaphore | None = None
    fail_at: int | None = None
    refuse: str | None = None
    silent_attempts: int = 0
    on_step: Callable[[int], None] | None = None
    log: list[tuple[str, object]] = field(default_factory=list)
    prefixes: list[Codes | None] = field(default_factory=list)
    num_steps: int = 0
    _left: int = 0
    _spoken: int = 0

    info = EngineInfo(NUM_CODEBOOKS, "a fake")

    def open(self, options: SynthesisOptions) -> None:
        self.log.append(("open", options))
        self._spoken = 0

    def begin(self, message: Message, prefix: Codes | None) -> int:
        if self.refuse is not None and self.refuse in message.text:
            raise TextError("refused")
        self.log.append(("begin", message))
        self.prefixes.append(prefix)
        self._left = self.frames_per_segment
        if self.silent_attempts:
            self.silent_attempts -= 1
            self._left = 0
        return 1000

    def step(self) -> Frame:
        if self.gate is not None:
            self.gate.acquire()
        self.num_steps += 1
        if self.on_step is not None:
            self.on_step(self.num_steps)
        if self.num_steps == self.fail_at:
            raise RuntimeError("the device burns")
        is_end = self._left == 0
        self._left -= 1
        self._spoken += not is_end
        pcm = np.full(FRAME_SAMPLES, self._spoken, dtype=np.int16).tobytes()
        return Frame(is_end, np.full(NUM_CODEBOOKS, self._spoken), pcm)

    def encode(self, samples: npt.NDArray[np.float32]) -> Codes:
        self.log.append(("encode", len(samples)))
        return np.full((len(samples) // FRAME_SAMPLES, NUM_CODEBOOKS), 7)

    def texts(self) -> list[str]:
        """What it was asked to say, segment by segment, with the history before each."""
        return [
            message.text for kind, message in self.log if kind == "begin" and isinstance(message, Message)
        ]


async def synthesizer_on(engine: FakeEngine, options: EngineOptions | None = None) -> StreamingSynthesizer:
    """Return a synthesizer that runs on `engine`."""
    worker = Worker(lambda: engine)
    return StreamingSynthesizer(worker, await worker.start(), options or EngineOptions())
