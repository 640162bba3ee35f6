"""A machine that is slower than real time, on the virtual clock: what the listener hears."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from fakes import FRAME_SAMPLES, FakeEngine, _Slot
from moss_stream.adapters.speaker import SpeakerSink
from moss_stream.adapters.webrtc import WebRTCSink
from virtual_time import PREFILL_S, Lab, Listener, give

from moss_stream.audio import FRAME_S
from moss_stream.engine.protocol import Frame

LOUD, QUIET = 5000, 10
FRAMES_OF_A_WORD = 5
TEXT = (
    "This is a sentence that takes about eight seconds to be spoken, whoever says it, at an ordinary speed. "
)
FRAMES = 100


class Words(FakeEngine):
    """Speaks words of 0.4 s; the last 40 ms of each are quiet, and never quite zero."""

    def _frame(self, slot: _Slot) -> Frame:
        made = super()._frame(slot)
        pcm = np.full(FRAME_SAMPLES, LOUD, dtype=np.int16)
        if slot.spoken % FRAMES_OF_A_WORD == 0:
            pcm[FRAME_SAMPLES // 2 :] = QUIET
        return Frame(made.kind, made.codes, pcm.tobytes(), made.is_whole)


@dataclass
class Heard(Listener):
    """Gives chunks to a sink whose device takes a block at a time, in virtual time."""

    sink: Any = None
    block: Callable[[], Awaitable[Any]] | None = None
    block_s: float = 0.01
    samples_heard: list[Any] = field(default_factory=list)
    _played_s: float = 0.0
    _writing: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self._played_s = self.clock()
        self.job.lead.attach(lambda: float(self.sink.position_s))

    async def read(self) -> None:
        assert self.block is not None
        while self._played_s + self.block_s <= self.clock() + 1e-9:
            self._played_s += self.block_s
            self.samples_heard.append(await self.block())
        while not self.is_done:
            if self._writing is not None:
                for _ in range(3):
                    await asyncio.sleep(0)
                if not self._writing.done():
                    return
                self._writing = None
            get = asyncio.ensure_future(self.job.channel.get())
            await asyncio.sleep(0)
            if not get.done():
                get.cancel()
                return
            if (chunk := get.result()) is None:
                self.is_done = True
                return
            self._writing = asyncio.create_task(self.sink.write(chunk))

    @property
    def sound(self) -> Any:
        return np.concatenate(self.samples_heard)

    @property
    def first_s(self) -> float:
        """When the first sample was heard, after the beginning."""
        return int(self.sound.astype(bool).argmax()) * self.block_s / len(self.samples_heard[0])

    def gaps(self) -> list[tuple[int, float]]:
        """The sample before each silence inside the speech, and its length in seconds."""
        nonzero = np.flatnonzero(self.sound)
        where = np.flatnonzero(np.diff(nonzero) > 1)
        rate = len(self.samples_heard[0]) / self.block_s
        # A faded edge is not what was spoken: look 10 ms back.
        back = int(0.01 * rate)
        return [
            (int(self.sound[nonzero[at] - back]), float(nonzero[at + 1] - nonzero[at] - 1) / rate)
            for at in where
        ]


def on_speaker(lab: Lab, listener: Listener) -> Heard:
    sink = SpeakerSink()

    async def block() -> Any:
        out = bytearray(480)
        sink.callback(memoryview(out), 240, None, None)
        return np.frombuffer(out, "<i2")

    return Heard(listener.job, lambda: lab.now_s, sink=sink, block=block)


def on_a_call(lab: Lab, listener: Listener) -> Heard:
    now_s = 0.0

    async def block() -> Any:
        nonlocal now_s
        now_s += 0.02
        return (await sink.block())[1][:, 0]

    sink = WebRTCSink(clock=lambda: now_s)
    return Heard(listener.job, lambda: lab.now_s, sink=sink, block=block, block_s=0.02)


On = Callable[[Lab, Listener], Heard]


def heard_on(on: On, rtf: float, text: str | None = TEXT) -> tuple[Lab, Heard]:
    lab = Lab(Words(frames_per_segment=FRAMES, max_streams=1), step_s=rtf * FRAME_S)
    heard = on(lab, lab.speak(text, reports=False))
    lab.listeners = [heard]
    return lab, heard


@pytest.mark.parametrize("on", [on_speaker, on_a_call])
async def test_a_slow_machine_makes_few_long_pauses_between_words(on: On) -> None:
    """At RTF 1.3 a sentence of eight seconds pauses once or twice, between words, not after each frame."""
    lab, heard = heard_on(on, 1.3)
    await lab.run(16)
    gaps = heard.gaps()
    spoken = int((np.abs(heard.sound) > QUIET).sum()) / len(heard.sound) * lab_seconds(heard)
    assert spoken == pytest.approx(FRAMES * FRAME_S - FRAMES // FRAMES_OF_A_WORD * 0.04, abs=0.05), (
        "all of it"
    )
    assert heard.is_done and 1 <= len(gaps) <= 2 and heard.sink.underruns == len(gaps)
    for before, length_s in gaps:
        assert before <= 2 * QUIET and 0.3 < length_s < 2.5


def lab_seconds(heard: Heard) -> float:
    return len(heard.samples_heard) * heard.block_s


@pytest.mark.parametrize(("on", "block_s"), [(on_speaker, 0.01), (on_a_call, 0.02)])
async def test_a_fast_machine_is_heard_at_once(on: On, block_s: float) -> None:
    """At RTF 0.5 the first frame is heard when it is made, and there is no pause."""
    lab, heard = heard_on(on, 0.5)
    await lab.run(10)
    preroll_s = (
        0.0 if on is on_speaker else FRAME_S * 0.5
    )  # the resampler keeps back a part of the first frame
    assert heard.first_s == pytest.approx(PREFILL_S + 0.5 * FRAME_S + preroll_s, abs=block_s)
    assert heard.is_done and not heard.gaps() and heard.sink.underruns == 0


async def test_a_text_that_pauses_is_no_slow_machine() -> None:
    """At RTF 0.5 what comes after a stall of the language model is heard as soon as it is made."""
    lab, heard = heard_on(on_speaker, 0.5, text=None)
    lab.engine.frames_per_segment = 10
    give(heard.job, "One clause. ")
    await lab.run(3)
    give(heard.job, "Another one. ")
    heard.job.end()
    begun_s = lab.now_s
    await lab.run(3)
    ((_, gap_s),) = heard.gaps()
    spoken_s = heard.first_s + 0.8 + gap_s
    assert spoken_s == pytest.approx(begun_s - 100.0 + PREFILL_S + 0.5 * FRAME_S, abs=0.05)


async def test_a_machine_that_becomes_slow_is_noticed() -> None:
    """What was fast when it was measured and is slow now makes some gaps, and then pauses between words."""
    lab, heard = heard_on(on_speaker, 0.7)

    def work(kind: str, count: int) -> None:
        lab.now_s += PREFILL_S if kind == "prefill" else 1.3 * FRAME_S

    lab.engine.on_work = work
    await lab.run(20)
    assert heard.is_done and len(heard.gaps()) < 15, "not one for each of a hundred frames"
    assert [before for before, _ in heard.gaps()[-1:]] == [QUIET]


async def test_the_expectation_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Chunks and figures carry it, and one warning for the engine's life names the ways out."""
    with caplog.at_level(logging.WARNING):
        lab = Lab(FakeEngine(frames_per_segment=5), step_s=1.3 * FRAME_S)
        for _ in range(2):
            listener = lab.speak(TEXT)
            await lab.run(3, lambda listener=listener: listener.is_done)  # type: ignore[misc]
    assert all(chunk.rtf == pytest.approx(1.3) for chunk in listener.chunks if chunk.pcm)
    left_s = [chunk.left_s for chunk in listener.chunks if chunk.pcm]
    assert left_s[0] == pytest.approx(len(TEXT) / 14, abs=0.5)
    assert np.diff(left_s) == pytest.approx(-FRAME_S), "less with every frame"
    assert listener.chunks[0].begins_word and not listener.chunks[2].begins_word
    for metrics in (listener.job.meter.metrics(), lab.loop.metrics()):
        assert metrics.expected_rtf == pytest.approx(1.3)
    (warning,) = [
        each.getMessage() for each in caplog.records if "each second of speech" in each.getMessage()
    ]
    assert "1.30 s" in warning
    assert all(way in warning for way in ("n_vq", "--device", "embedded voice"))
