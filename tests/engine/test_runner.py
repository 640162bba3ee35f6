"""A frame that is replayed is the frame that would be computed."""

from __future__ import annotations

import logging
import random

import numpy as np
import pytest
from golden_data import CPU, codec, expected, generator, model
from tape import TapeCapture

from moss_stream.config import ChannelSampling, SamplingOptions, SynthesisOptions
from moss_stream.engine.aligner import Immediate
from moss_stream.engine.chunk import ChunkShape
from moss_stream.engine.generator import FrameShape
from moss_stream.engine.protocol import Frame
from moss_stream.engine.runner import FrameRunner
from moss_stream.engine.vocoder import Vocoder

GREEDY = ChannelSampling(temperature=0.0)
SAMPLED = ChannelSampling(temperature=0.9, top_k=20, top_p=0.9, repetition_penalty=1.2)
GREEDY_OPTIONS = SynthesisOptions(sampling=SamplingOptions(text=GREEDY, audio=GREEDY))
SAMPLED_OPTIONS = SynthesisOptions(sampling=SamplingOptions(text=GREEDY, audio=SAMPLED), seed=3)


def runner(capture: TapeCapture | None, streams: int = 4) -> FrameRunner:
    made = generator(max_streams=streams)
    vocoder = Vocoder(codec(), 8, Immediate(model().rows), CPU, batch=streams)
    return FrameRunner(made, vocoder, capture)


def prompts() -> list[np.ndarray[tuple[int, int], np.dtype[np.int64]]]:
    return [value.numpy() for name, value in expected("local").items() if name.endswith(".input_ids")]


def open_stream(made: FrameRunner, slot: int, prompt: int, options: SynthesisOptions) -> None:
    made._generator.open(slot, options)
    made._vocoder.reset(slot)
    made._generator.begin(slot, prompts()[prompt])
    while not made.prefill(slot):
        pass


def same(ours: list[Frame], theirs: list[Frame]) -> bool:
    pcm = [np.frombuffer(frame.pcm, dtype=np.int16).astype(int) for frame in [*ours, *theirs]]
    loudest = max(np.abs(a - b).max() for a, b in zip(pcm[: len(ours)], pcm[len(ours) :], strict=True))
    codes = all((a.codes == b.codes).all() for a, b in zip(ours, theirs, strict=True))
    return codes and loudest <= 2 and [f.kind for f in ours] == [f.kind for f in theirs]


@pytest.mark.parametrize("options", [GREEDY_OPTIONS, SAMPLED_OPTIONS], ids=["greedy", "sampled"])
@pytest.mark.parametrize("n_vq", [3, 8])
def test_a_replayed_stream_is_the_computed_one(options: SynthesisOptions, n_vq: int) -> None:
    """Prompt and frames are captured once, when they are first met; then replayed."""
    capture = TapeCapture()
    replayed, computed = runner(capture), runner(None)
    for made in (replayed, computed):
        open_stream(made, 0, 0, options.replace(n_vq=n_vq))
    for _ in range(12):
        assert same(replayed.step([0]), computed.step([0]))
    assert (capture.num_captured, capture.num_replayed) == (2, 13)


@pytest.mark.parametrize("seed", range(6))
def test_streams_come_and_go(seed: int) -> None:
    """Any mix of prompts, codebooks, joins and pauses in any slots: same codes, ends and sound."""
    choose = random.Random(seed)
    replayed, computed = runner(TapeCapture()), runner(None)
    is_open = [False] * 4
    for _ in range(14):
        for slot in range(4):
            if choose.random() < 0.3:
                n_vq, base = choose.choice([3, 8]), choose.choice([GREEDY_OPTIONS, SAMPLED_OPTIONS])
                options = base.replace(n_vq=n_vq, seed=choose.randrange(99))
                prompt = choose.randrange(len(prompts()))
                for made in (replayed, computed):
                    open_stream(made, slot, prompt, options)
                is_open[slot] = True
        slots = [slot for slot in range(4) if is_open[slot] and choose.random() < 0.8]
        if slots:
            assert same(replayed.step(slots), computed.step(slots))


def test_recording_leaves_no_trace() -> None:
    """A shape that is met for the first time in the middle of speech is captured there; nobody hears it."""
    replayed, computed = runner(TapeCapture()), runner(None)
    for made in (replayed, computed):
        open_stream(made, 1, 0, SAMPLED_OPTIONS)
    for step in range(6):
        if step == 3:
            for made in (replayed, computed):
                open_stream(made, 2, 1, SAMPLED_OPTIONS)
        slots = [1] if step < 3 else [1, 2]
        assert same(replayed.step(slots), computed.step(slots))
    assert len([shape for shape in replayed.shapes if isinstance(shape, FrameShape)]) == 2


def test_recording_ahead() -> None:
    """All shapes of a number of codebooks, the largest first; then nothing is captured while people wait."""
    capture = TapeCapture()
    made = runner(capture, streams=3)
    made.capture(8)
    frames = [shape for shape in made.shapes if isinstance(shape, FrameShape)]
    chunks = [(shape.length, shape.context) for shape in made.shapes if isinstance(shape, ChunkShape)]
    assert chunks == [(length, context) for length in (128, 64, 32, 16) for context in (512, 256)]
    assert [(shape.batch, shape.context) for shape in frames] == [
        (3, 512),
        (3, 256),
        (2, 512),
        (2, 256),
        (1, 512),
        (1, 256),
    ]
    count = capture.num_captured
    for slot in range(3):
        open_stream(made, slot, 0, GREEDY_OPTIONS)
        made.step(range(slot + 1))
    assert capture.num_captured == count


def test_a_larger_recording_serves() -> None:
    """What fits is used, rather than capture while somebody speaks; of several the smallest."""
    small, large = (FrameShape(n, 256 * n, 8, is_masked=True, is_mixed=True) for n in (1, 2))
    assert large.fits(small) and not small.fits(large)
    assert not large.fits(FrameShape(1, 256, 4, True, True)), "another number of codebooks is another loop"
    assert not FrameShape(1, 100, 8, False, False).fits(FrameShape(1, 50, 8, True, False))


@pytest.mark.parametrize(("most", "what"), [(0, "A chunk of 128 rows"), (2, "A frame of 2 streams")])
def test_without_memory_all_is_computed(most: int, what: str, caplog: pytest.LogCaptureFixture) -> None:
    """One warning that says what to do; speech goes on as it was."""
    caplog.set_level(logging.WARNING)
    replayed, computed = runner(TapeCapture(most=most)), runner(None)
    for slot in range(2):
        for made in (replayed, computed):
            open_stream(made, slot, slot, SAMPLED_OPTIONS)
        for _ in range(3):
            slots = range(slot + 1)
            assert same(replayed.step(slots), computed.step(slots))
    assert [record.message.partition(" cannot")[0] for record in caplog.records] == [what]
    assert not replayed.shapes
