"""Frames of the compiled loops: the reference's codes and waveforms, and the same bits in any company."""

from __future__ import annotations

import random

import numpy as np
import numpy.typing as npt
import pytest
import torch
from golden_data import CPU, GOLDEN, Case, cases, expected, prompts

from moss_stream.codec.load import load_cat
from moss_stream.config import ChannelSampling, EngineOptions, SamplingOptions, SynthesisOptions
from moss_stream.engine.aligner import Immediate
from moss_stream.engine.compiled import CompiledCompute
from moss_stream.engine.generator import FrameGenerator
from moss_stream.engine.protocol import FrameKind
from moss_stream.engine.runner import EagerCompute, FrameRunner
from moss_stream.engine.vocoder import Vocoder
from moss_stream.families.local.load import load_local
from tests.engine.test_generator import SETTINGS

Rows = npt.NDArray[np.int64]
PLAIN = EngineOptions(text_head="full", pack_weights=False)
MODEL = load_local(GOLDEN / "local", CPU, torch.float32, PLAIN)
CODEC = load_cat(GOLDEN / "cat", CPU, PLAIN)
SAMPLED = SamplingOptions(
    text=ChannelSampling(temperature=0.0),
    audio=ChannelSampling(temperature=0.9, top_k=20, top_p=0.9, repetition_penalty=1.2),
)


class Speaker:
    """A generator and a vocoder on the golden checkpoints, and what computes for them."""

    def __init__(self, streams: int = 4, prefill_chunk: int = 128, is_compiled: bool = True) -> None:
        options = EngineOptions(max_streams=streams, max_context=512, prefill_chunk=prefill_chunk)
        self.generator = FrameGenerator(MODEL, options)
        self.vocoder = Vocoder(CODEC, 8, Immediate(MODEL.rows), CPU, streams)
        parts = self.generator, self.vocoder
        self.compute = CompiledCompute(MODEL, CODEC.decoder, *parts) if is_compiled else EagerCompute(*parts)
        self.runner = FrameRunner(*parts, None, self.compute)

    def open(self, slot: int, rows: Rows, options: SynthesisOptions) -> None:
        self.generator.open(slot, options)
        self.vocoder.reset(slot)
        self.begin(slot, rows)

    def begin(self, slot: int, rows: Rows) -> None:
        self.generator.begin(slot, rows)
        while not self.runner.prefill(slot):
            pass

    def row(self, slot: int) -> list[int]:
        return [int(value) for value in self.generator.rows[slot]]

    def generate(self, slot: int, count: int) -> Rows:
        rows = []
        for _ in range(count):
            self.runner.step([slot])
            rows.append(self.row(slot))
        return np.array(rows)


def rows_of(case: Case) -> Rows:
    return prompts().build(case.message, case.prefix)


@pytest.mark.parametrize("setting", SETTINGS)
def test_golden_frames(setting: str) -> None:
    """Generated rows are those of the reference, at each depth and with the penalty, in any order."""
    made = Speaker(prefill_chunk=16)
    for case in cases():
        wanted = expected("local")[f"{case.name}.{setting}"].numpy()
        made.open(2, rows_of(case), SETTINGS[setting])
        np.testing.assert_array_equal(made.generate(2, len(wanted)), wanted, err_msg=case.name)


def test_golden_hidden_states() -> None:
    """The hidden state of a prompt is the reference's within rounding."""
    made = Speaker()
    for case in cases():
        made.open(0, rows_of(case), SynthesisOptions())
        wanted = expected("local")[f"{case.name}.backbone_hidden"][-1].numpy()
        np.testing.assert_allclose(made.generator.hidden[0].numpy(), wanted, atol=1e-4)


def decoded(made: Speaker, codes: Rows, n_vq: int, slot: int = 0) -> npt.NDArray[np.float32]:
    """Decode codes a frame at a time; float samples, before they are rounded."""
    assert isinstance(made.compute, CompiledCompute)
    levels, slots = np.array([n_vq]), np.array([slot])
    text = MODEL.config.audio_assistant_gen_slot_token_id
    made.vocoder.reset(slot)
    samples = []
    for frame in codes:
        made.generator.rows[slot, 0], made.generator.rows[slot, 1:] = text, torch.from_numpy(frame)
        made.compute.speak(slots, levels)
        samples.append(made.compute.samples[0].copy())
    return np.concatenate(samples)


@pytest.mark.parametrize("n_vq", [1, 4, 8])
def test_the_offline_waveform(n_vq: int) -> None:
    """Frame by frame, the samples are those that the reference decodes at once."""
    codes = expected("cat")["a.codes"].numpy()
    wanted = expected("cat")[f"a.decoded.k{n_vq}"].numpy()
    np.testing.assert_allclose(decoded(Speaker(1), codes, n_vq), wanted, atol=1e-4)


def test_the_offline_waveform_past_the_window() -> None:
    """150 frames, six times the codec's window: still the waveform that is decoded at once."""
    codes = expected("cat")["long.codes"].numpy()
    wanted = CODEC.decoder(torch.from_numpy(codes[None]), CODEC.decoder.new_state(1, max_frames=len(codes)))[
        0
    ].numpy()
    found = decoded(Speaker(2), codes, 8, slot=1)
    assert np.abs(found - wanted).max() <= 1e-4


def test_a_stream_gets_the_same_bits_alone_and_in_company() -> None:
    """Random joins, leaves, pauses and numbers of codebooks: codes and samples as alone, bit for bit."""
    random_ = random.Random(7)
    prompts_ = [rows_of(case) for case in cases()]
    for _ in range(6):
        options = [
            SynthesisOptions(sampling=SAMPLED, seed=s, n_vq=random_.choice([3, 5, 8])) for s in range(4)
        ]
        texts = [random_.choice(prompts_) for _ in range(4)]
        alone = []
        for text, option in zip(texts, options, strict=True):
            made = Speaker()
            made.open(0, text, option)
            alone.append([made.runner.step([0])[0] for _ in range(8)])
        made, taken = Speaker(), [0, 0, 0, 0]
        for slot in random_.sample(range(4), 4):
            made.open(slot, texts[slot], options[slot])
        while min(taken) < 8:
            slots = [slot for slot in range(4) if taken[slot] < 8 and random_.random() < 0.7]
            for slot, frame in zip(slots, made.runner.step(slots) if slots else [], strict=True):
                wanted = alone[slot][taken[slot]]
                assert (frame.codes == wanted.codes).all() and frame.pcm == wanted.pcm
                assert frame.kind is wanted.kind
                taken[slot] += 1


def test_an_end_leaves_no_trace_in_the_codec() -> None:
    """A row that ends a segment is decoded, but the next one goes on as if it had not been."""
    codes = expected("cat")["a.codes"].numpy()[:10]
    plain, ended = Speaker(1), Speaker(1)
    wanted = decoded(plain, codes, 8)
    first = decoded(ended, codes[:5], 8)
    assert isinstance(ended.compute, CompiledCompute)
    ended.generator.rows[0, 0] = MODEL.config.audio_end_token_id
    ended.compute.speak(np.array([0]), np.array([8]))
    assert ended.vocoder.frames([0])[0].kind is FrameKind.END
    rest = []
    ended.generator.rows[0, 0] = MODEL.config.audio_assistant_gen_slot_token_id
    for frame in codes[5:]:
        ended.generator.rows[0, 1:] = torch.from_numpy(frame)
        ended.compute.speak(np.array([0]), np.array([8]))
        rest.append(ended.compute.samples[0].copy())
    np.testing.assert_array_equal(np.concatenate([first, *rest]), wanted)


def test_sampled_frames_are_pytorchs() -> None:
    """The same random numbers draw the same codes, but for what lies within rounding of a border."""
    ours, theirs = Speaker(), Speaker(is_compiled=False)
    same = []
    for seed, case in enumerate(cases()):
        options = SynthesisOptions(sampling=SAMPLED, seed=seed)
        for made in (ours, theirs):
            made.open(1, rows_of(case), options)
        same.append((ours.generate(1, 6) == theirs.generate(1, 6)).all())
    assert sum(same) >= len(same) - 1


def test_nothing_grows() -> None:
    """Frames are made in memory that is allocated once."""
    made = Speaker(1)
    made.open(0, rows_of(cases()[0]), SynthesisOptions())
    before = [t.data_ptr() for t in [*made.generator.state(), *made.vocoder.state()]]
    made.generate(0, 50)
    assert [t.data_ptr() for t in [*made.generator.state(), *made.vocoder.state()]] == before


def test_a_gain_scales_the_samples() -> None:
    """As in PyTorch's way: before they are rounded."""
    codes = expected("cat")["a.codes"].numpy()[:1]
    made = Speaker(2)
    decoded(made, codes, 8, slot=1)
    loud = np.frombuffer(made.vocoder.frames([1])[0].pcm, "<i2").astype(int)
    made.vocoder.reset(1)
    made.vocoder.set_gain(1, 0.25)
    made.compute.speak(np.array([1]), np.array([8]))  # type: ignore[union-attr]
    quiet = np.frombuffer(made.vocoder.frames([1])[0].pcm, "<i2").astype(int)
    assert np.abs(quiet * 4 - loud)[np.abs(loud) < 32_000].max() <= 3 and np.abs(loud).max() > 1_000
