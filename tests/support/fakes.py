"""Stand-ins at the borders the design names: the engine."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from moss_stream import EngineOptions, StreamingSynthesizer, Use, Voice
from moss_stream.config import SynthesisOptions
from moss_stream.engine.protocol import EngineInfo, Frame, FrameKind
from moss_stream.engine.worker import Worker
from moss_stream.errors import TextError
from moss_stream.sync import SyncSynthesizer
from moss_stream.sync.loop_thread import LoopThread
from moss_stream.text.message import Codes, Message, Prompt

NUM_CODEBOOKS = 4
FRAME_SAMPLES = 1_920
"""Of 24 kHz, which a fake makes unless told otherwise."""
TONE_HZ, TONE_PEAK = 500, 10_000
"""What a `StereoFake` says on the left: 40 whole periods a frame."""
LOUD = 12_345
"""The last sample of every frame: what is quiet throughout counts as silence."""


@dataclass
class _Slot:
    left: int = 0
    spoken: int = 0
    chunks_left: int = 0


@dataclass
class FakeEngine:
    """Speaks `frames_per_segment` frames for each segment; frame n of a stream holds the sample value n + 1.

    Attributes:
        log: What was asked of it, in order.
        gate: If given, every step waits for it.
        capture_gate: If given, capture waits for it.
        fail_at: The step (counted over the engine's life) that raises RuntimeError.
        refuse: A text that `prompt` refuses.
        prompt_gate: If given, building a prompt waits for it.
        silent_attempts: How many segments end before their first frame.
        prefill_chunks: How many calls a prompt takes.
        on_step: Called with the number of every step.
        on_work: Called with what is done: "prefill" or "step", and for how many streams.
        sample_rate: Of its audio, in Hz.
        channels: Of its audio.
    """

    frames_per_segment: int = 3
    max_streams: int = 4
    gate: threading.Semaphore | None = None
    capture_gate: threading.Semaphore | None = None
    fail_at: int | None = None
    refuse: str | None = None
    prompt_gate: threading.Semaphore | None = None
    silent_attempts: int = 0
    prefill_chunks: int = 1
    on_step: Callable[[int], None] | None = None
    on_work: Callable[[str, int], None] | None = None
    frame_costs_s: dict[int, float] = field(default_factory=lambda: {1: 0.001, 16: 0.001})
    voices: dict[str, Voice] = field(default_factory=dict)
    sample_rate: int = 24_000
    channels: int = 1
    log: list[tuple[str, object]] = field(default_factory=list)
    encoded: list[npt.NDArray[np.float32]] = field(default_factory=list)
    prefixes: list[Codes | None] = field(default_factory=list)
    gains: list[float] = field(default_factory=list)
    batches: list[tuple[int, ...]] = field(default_factory=list)
    num_steps: int = 0
    captured_s: float = 0.0
    _slots: dict[int, _Slot] = field(default_factory=lambda: defaultdict(_Slot))

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(
            NUM_CODEBOOKS,
            "a fake",
            self.voices,
            self.max_streams,
            frame_costs_s=self.frame_costs_s,
            sample_rate=self.sample_rate,
            channels=self.channels,
        )

    def capture(self, n_vq: int | None) -> None:
        self.log.append(("capture", n_vq))
        if self.capture_gate is not None:
            self.capture_gate.acquire()

    def open(self, slot: int, options: SynthesisOptions) -> None:
        self.log.append(("open", options))
        self._slots[slot] = _Slot()

    def prompt(self, message: Message, prefix: Codes | None) -> Prompt:
        if self.prompt_gate is not None:
            self.prompt_gate.acquire()
        if self.refuse is not None and self.refuse in message.text:
            raise TextError("refused")
        return Prompt(message, prefix, np.zeros((1, 1 + NUM_CODEBOOKS), dtype=np.int64))

    def begin(self, slot: int, prompt: Prompt, gain: float = 1.0) -> int:
        self.log.append(("begin", prompt.message))
        self.prefixes.append(prompt.prefix)
        self.gains.append(gain)
        self._slots[slot].left = self.frames_per_segment
        self._slots[slot].chunks_left = self.prefill_chunks
        if self.silent_attempts:
            self.silent_attempts -= 1
            self._slots[slot].left = 0
        return 1000

    def prefill(self, slot: int) -> bool:
        if self.on_work is not None:
            self.on_work("prefill", 1)
        self._slots[slot].chunks_left -= 1
        return self._slots[slot].chunks_left == 0

    def give(self, slot: int, text: str, is_last: bool) -> None:
        raise AssertionError("it reads whole segments")

    def is_fed(self, slot: int) -> bool:
        return True

    def num_unread(self, slot: int) -> int:
        return 0

    def step(self, slots: Sequence[int]) -> list[Frame]:
        if self.gate is not None:
            self.gate.acquire()
        self.num_steps += 1
        self.batches.append(tuple(slots))
        if self.on_step is not None:
            self.on_step(self.num_steps)
        if self.on_work is not None:
            self.on_work("step", len(slots))
        if self.num_steps == self.fail_at:
            raise RuntimeError("the device burns")
        return [self._frame(self._slots[slot]) for slot in slots]

    def _frame(self, slot: _Slot) -> Frame:
        is_end = slot.left == 0
        slot.left -= 1
        slot.spoken += not is_end
        kind = FrameKind.END if is_end else FrameKind.AUDIO
        codes, pcm = np.full(NUM_CODEBOOKS, slot.spoken), self._samples(slot.spoken).tobytes()
        return Frame(kind, codes, pcm, not is_end)

    def _samples(self, number: int) -> npt.NDArray[np.int16]:
        pcm = np.full(self.frame_samples, number, dtype=np.int16)
        pcm[-1] = LOUD
        return pcm

    def encode(self, samples: npt.NDArray[np.float32]) -> Codes:
        self.log.append(("encode", len(samples)))
        self.encoded.append(samples)
        return np.full((len(samples) // self.frame_samples, NUM_CODEBOOKS), 7)

    @property
    def frame_samples(self) -> int:
        """Of each channel, in 80 ms."""
        return self.sample_rate * 2 // 25

    def texts(self) -> list[str]:
        """What it was asked to say, segment by segment, with the history before each."""
        return [
            message.text for kind, message in self.log if kind == "begin" and isinstance(message, Message)
        ]


@dataclass
class AbleFake(FakeEngine):
    """Can be asked for anything; its codec has twice the codebooks that its model uses."""

    frames_per_segment: int = 12

    @property
    def info(self) -> EngineInfo:
        return replace(super().info, uses=frozenset(Use), codec_codebooks=8)

    def encode(self, samples: npt.NDArray[np.float32]) -> Codes:
        codes = super().encode(samples)
        return np.concatenate([codes, codes + 1], axis=1)


@dataclass
class StereoFake(FakeEngine):
    """Makes a tone on the left, and silence on the right, at 48 kHz."""

    sample_rate: int = 48_000
    channels: int = 2

    def _samples(self, number: int) -> npt.NDArray[np.int16]:
        t = (np.arange(self.frame_samples) + (number - 1) * self.frame_samples) / self.sample_rate
        pcm = np.zeros((self.frame_samples, 2), dtype=np.int16)
        pcm[:, 0] = TONE_PEAK * np.sin(2 * np.pi * TONE_HZ * t)
        return pcm


def is_tone(samples: npt.NDArray[np.int16], rate: int, peak: float = TONE_PEAK) -> bool:
    """Tell whether samples [N] are the tone of a `StereoFake`, with that peak; the edges may be faded."""
    middle = samples[len(samples) // 8 : -len(samples) // 8].astype(float)
    t = np.arange(len(middle)) / rate
    found = 2 * np.abs(np.mean(middle * np.exp(-2j * np.pi * TONE_HZ * t)))
    return bool(abs(found - peak) < 0.15 * peak and np.std(middle) < 1.15 * peak / np.sqrt(2))


def is_silent(samples: npt.NDArray[np.int16]) -> bool:
    """Tell whether samples are silence, but for what a lossy codec leaves there."""
    return bool(np.abs(samples.astype(int)).max() < TONE_PEAK / 50)


@dataclass
class _Reading:
    """What an incremental fake knows of a slot."""

    words: list[str] = field(default_factory=list)
    is_over: bool = False
    is_opened: bool = False
    is_fresh: bool = False
    read: list[str] = field(default_factory=list)
    num_frames: int = 0
    prompt: Prompt | None = None


@dataclass
class IncrementalFake(FakeEngine):
    """Reads a word with each frame, the first `opening` before the first one, and ends when all is said.

    Attributes:
        opening: Words before the first frame.
        room: Frames that the context holds.
        frames_per_word: How long it speaks: for each word that it read.
        said: What it read of each utterance, in order: (slot, text).
        ends_early: If given, it ends every utterance after so many frames, whatever it has to read.
    """

    opening: int = 12
    room: int = 1000
    frames_per_word: int = 4
    said: list[tuple[int, str]] = field(default_factory=list)
    ends_early: int | None = None
    _reading: dict[int, _Reading] = field(default_factory=lambda: defaultdict(_Reading))

    @property
    def info(self) -> EngineInfo:
        return replace(super().info, is_incremental=True)

    def open(self, slot: int, options: SynthesisOptions) -> None:
        super().open(slot, options)
        self._reading[slot] = _Reading()

    def begin(self, slot: int, prompt: Prompt, gain: float = 1.0) -> int:
        super().begin(slot, prompt, gain)
        rest = self._reading[slot]
        words = [*rest.read, *rest.words] if rest.prompt is prompt else rest.words
        self._reading[slot] = _Reading(words, rest.is_over and bool(words), prompt=prompt)
        return self.room

    def prefill(self, slot: int) -> bool:
        if self.on_work is not None:
            self.on_work("prefill", 1)
        state = self._reading[slot]
        if self._is_ready(state) and not state.is_opened:
            count = min(self.opening, len(state.words))
            state.read, state.words = state.words[:count], state.words[count:]
            state.is_opened = state.is_fresh = True
            self.said.append((slot, "".join(state.read)))
        return True

    def give(self, slot: int, text: str, is_last: bool) -> None:
        state = self._reading[slot]
        state.words += [text] if text else []
        state.is_over = state.is_over or is_last

    def _is_ready(self, state: _Reading) -> bool:
        if state.is_opened:
            return state.is_fresh or bool(state.words) or state.is_over
        return len(state.words) >= (1 if state.is_over else self.opening)

    def is_fed(self, slot: int) -> bool:
        return self._is_ready(self._reading[slot])

    def num_unread(self, slot: int) -> int:
        return len(self._reading[slot].words)

    def step(self, slots: Sequence[int]) -> list[Frame]:
        for slot in slots:
            state = self._reading[slot]
            assert state.is_opened and self._is_ready(state), "stepped without text"
            if not state.is_fresh and state.words:
                state.read.append(state.words.pop(0))
                self.said[:] = [
                    (s, "".join(state.read)) if i == self._last(slot) else (s, t)
                    for i, (s, t) in enumerate(self.said)
                ]
            state.is_fresh = False
            all_said = state.is_over and not state.words
            is_end = all_said and state.num_frames >= self.frames_per_word * len(state.read)
            is_end = is_end or state.num_frames == self.ends_early
            state.num_frames += 1
            self._slots[slot].left = 0 if is_end else 1
        return super().step(slots)

    def _last(self, slot: int) -> int:
        return max(index for index, (each, _) in enumerate(self.said) if each == slot)

    def spoken(self, slot: int) -> str:
        """All that a slot read, in order."""
        return "".join(text for each, text in self.said if each == slot)


async def synthesizer_on(engine: FakeEngine, options: EngineOptions | None = None) -> StreamingSynthesizer:
    """Return a synthesizer that runs on `engine`."""
    settings = options or EngineOptions()
    worker = Worker(lambda: engine, settings.max_queue, settings.max_queue_s)
    return StreamingSynthesizer(worker, await worker.start(), settings)


def sync_synthesizer_on(engine: FakeEngine) -> SyncSynthesizer:
    """Return a synthesizer without asyncio that runs on `engine`."""
    loop = LoopThread()
    return SyncSynthesizer(loop, loop.call(synthesizer_on(engine)))
