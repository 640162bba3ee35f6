"""CUDA graphs: need a GPU. What a captured graph must do is tested in test_runner.py, on the CPU."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from delay_data import DelayCase, ended, golden_segments, run, whole_codes
from delay_data import engine as delay_engine
from golden_data import GOLDEN, expected

from moss_stream.config import ChannelSampling, EngineOptions, SamplingOptions, SynthesisOptions
from moss_stream.engine.capture import GraphCapture
from moss_stream.engine.load import load_engine
from moss_stream.engine.runner import FrameRunner
from moss_stream.engine.speech_engine import SpeechEngine
from moss_stream.nn.ops import TorchOps, use
from tests.engine.test_speech_engine import COMPANY, speak_in_company

pytestmark = pytest.mark.gpu
GREEDY = ChannelSampling(temperature=0.0)
OPTIONS = SynthesisOptions(sampling=SamplingOptions(text=GREEDY, audio=GREEDY))


@pytest.fixture
def engine() -> SpeechEngine:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    options = EngineOptions(max_streams=4, max_context=512)
    return load_engine(GOLDEN / "local", GOLDEN / "cat", "cuda", "float32", options)


def speak(engine: SpeechEngine, runner: FrameRunner, count: int) -> list[list[int]]:
    engine.open(0, OPTIONS)
    engine.generator.begin(0, expected("local")["direct.input_ids"].numpy())
    while not runner.prefill(0):
        pass
    return [runner.step([0])[0].codes.tolist() for _ in range(count)]


@contextmanager
def waits_are_errors() -> Iterator[None]:
    """Have CUDA raise where the host waits for the device, as far as it notices."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the mode is a prototype
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_graphed_eager_and_golden_codes_are_the_same(engine: SpeechEngine) -> None:
    """In float32: the codes of the reference, step by step and replayed."""
    eager = FrameRunner(engine.generator, engine.vocoder, None)
    wanted = expected("local")["direct.greedy.k8"][:, 1:].tolist()
    assert speak(engine, eager, len(wanted)) == wanted
    assert speak(engine, engine.runner, len(wanted)) == wanted


def test_a_frame_waits_for_the_device_once(engine: SpeechEngine) -> None:
    """CUDA's own check finds no wait in a replayed frame but that for its event; host buffers are pinned."""
    speak(engine, engine.runner, 2)
    with waits_are_errors():
        engine.runner.step([0])
    assert engine.generator.plan.is_pinned() and engine.vocoder.host.is_pinned()


def test_chunks_of_a_prompt_wait_for_nothing(engine: SpeechEngine) -> None:
    """Nor does taking a prompt: what the host lays out is pinned, and guarded by events."""
    speak(engine, engine.runner, 1)
    engine.generator.begin(0, expected("local")["direct.input_ids"].numpy()[:-1])
    with waits_are_errors():
        engine.prefill(0)


def test_frames_with_kernels_and_without_are_the_same(engine: SpeechEngine) -> None:
    """In float32: codes by Triton are codes by PyTorch."""
    ours = speak(engine, engine.runner, 8)
    plain = load_engine(GOLDEN / "local", GOLDEN / "cat", "cuda", "float32", EngineOptions())
    use(TorchOps(), plain.generator._model, plain._codec)
    assert type(engine.generator._model.ops) is not TorchOps, "the kernels are wrong on this GPU"
    assert speak(plain, FrameRunner(plain.generator, plain.vocoder, None), 8) == ours


@pytest.mark.parametrize("seed", range(4))
def test_streams_do_not_touch_each_other(seed: int) -> None:
    """On a GPU, replayed: random schedules of many streams change no code of any of them."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    made = load_engine(GOLDEN / "local", GOLDEN / "cat", "cuda", "float32", COMPANY)
    speak_in_company(made, seed)


@pytest.mark.parametrize("which", ended(), ids=lambda each: f"{each.kind}-{each.name}")
def test_golden_segments_of_the_delay_pattern(which: DelayCase) -> None:
    """Replayed: words, diagonals, tails, several audios; no step waits for the device but for its end."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    made = delay_engine(which.kind, "cuda", max_context=512)
    np.testing.assert_array_equal(whole_codes(run(made, which)), golden_segments(which))
    with waits_are_errors():
        made.step([0])


def test_recording_says_what_it_took(engine: SpeechEngine) -> None:
    """Time and memory of all captured graphs."""
    capture = GraphCapture(torch.device("cuda"))
    FrameRunner(engine.generator, engine.vocoder, capture).capture(8)
    assert capture.seconds > 0 and capture.bytes >= 0
