from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from golden_data import CPU, codec, expected, model
from torch import Tensor

from moss_stream.codec.cat import Cat
from moss_stream.engine.aligner import Aligned, Immediate
from moss_stream.engine.generator import Step
from moss_stream.engine.protocol import Frame, FrameKind
from moss_stream.engine.vocoder import Vocoder

GEN, END = 507, 505


def vocoder() -> Vocoder:
    return Vocoder(codec(), 8, Immediate(model().rows), CPU, batch=4)


def rows(codes: Tensor, text_id: int = GEN) -> Tensor:
    return torch.cat([torch.full((len(codes), 1), text_id), codes], dim=1)


def step_of(these: Tensor, n_vq: int = 8, used: Tensor | None = None) -> Step:
    return Step(these, torch.ones(len(these), dtype=torch.bool), n_vq, used)


def run(made: Vocoder, these: Tensor, n_vq: int = 8) -> list[Frame]:
    return [frame for row in these for frame in made.step(step_of(row[None], n_vq), [0])]


def samples(frames: list[Frame]) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return np.concatenate([np.frombuffer(frame.pcm, dtype=np.int16) for frame in frames])


def test_frames_are_the_offline_waveform_in_int16() -> None:
    """Frame by frame, the PCM is the reference's waveform, clipped and rounded to 16 bits."""
    data = expected("cat")
    for k in (1, 4, 8):
        frames = run(vocoder(), rows(data["a.codes"]), k)
        wanted = (data[f"a.decoded.k{k}"].clamp(-1, 1) * 32767).round().numpy()
        assert np.abs(samples(frames) - wanted).max() <= 4  # 1e-4 of full scale is 3.3


def test_an_end_row_is_flagged_and_leaves_no_trace() -> None:
    """The row that ends a segment is not audio, and the next segment goes on as if it had not been."""
    codes = expected("cat")["a.codes"][:10]
    made = vocoder()
    before = run(made, rows(codes[:5]))
    (end,) = made.step(step_of(rows(codes[7:8], END)), [0])
    after = run(made, rows(codes[5:]))
    assert end.kind is FrameKind.END
    assert {frame.kind for frame in [*before, *after]} == {FrameKind.AUDIO}
    np.testing.assert_array_equal(samples([*before, *after]), samples(run(vocoder(), rows(codes))))


class Late(Immediate):
    """Makes a frame of every second row, as a delay pattern makes none of its first ones."""

    def __init__(self) -> None:
        super().__init__(model().rows)
        self.count = 0

    def align(self, step: Step) -> Aligned:
        self.count += 1
        has_frame = torch.full((len(step.rows),), self.count % 2 == 0)
        return Aligned(step.rows[:, 1:], has_frame, torch.zeros_like(has_frame))


def test_a_row_that_is_no_frame_leaves_no_trace() -> None:
    """It is flagged, and the codec goes on as if it had not been."""
    codes = expected("cat")["a.codes"][:4]
    made = Vocoder(codec(), 8, Late(), CPU, batch=1)
    frames = run(made, rows(codes.repeat_interleave(2, 0)))
    assert [frame.kind for frame in frames] == [FrameKind.NOTHING, FrameKind.AUDIO] * 4
    np.testing.assert_array_equal(samples(frames[1::2]), samples(run(vocoder(), rows(codes))))


def test_codes_come_back_on_the_host() -> None:
    """A frame carries its codes, for the history of the turn."""
    codes = expected("cat")["a.codes"][:1]
    np.testing.assert_array_equal(run(vocoder(), rows(codes))[0].codes, codes[0].numpy())


def test_reset_starts_a_new_stream_and_nothing_grows() -> None:
    """After a reset the same codes give the same PCM, from the same memory."""
    made, these = vocoder(), rows(expected("cat")["a.codes"])
    first = samples(run(made, these))
    places = [t.data_ptr() for t in made.state()]
    made.reset(0)
    np.testing.assert_array_equal(samples(run(made, these)), first)
    assert [t.data_ptr() for t in made.state()] == places


def test_a_gain_scales_the_samples_of_its_slot_alone() -> None:
    """Before they are cut to full scale; a new stream is as loud as the codec makes it."""
    made, codes = vocoder(), expected("cat")["a.codes"][:1]
    both = torch.cat([rows(codes), rows(codes)])
    made.set_gain(1, 0.5)
    loud, quiet = (samples([frame]).astype(int) for frame in made.step(step_of(both), [0, 1]))
    unclipped = np.abs(loud) < 32_000
    assert np.abs(quiet * 2 - loud)[unclipped].max() <= 2 and np.abs(loud).max() > 1_000
    made.reset(1)
    assert made.gain.tolist() == [1.0] * 4


class StereoCodec(torch.nn.Module):
    """Says codes as they are: the first codebook on the left, the second one on the right."""

    sample_rate, channels, frame_samples = 48_000, 2, 3_840

    @property
    def decoder(self) -> StereoCodec:
        return self

    def new_state(self, batch: int, max_frames: int) -> Any:
        return codec().decoder.new_state(batch, max_frames)

    def forward(self, codes: Tensor, *rest: Any) -> Tensor:
        return codes[:, 0, :2].repeat(1, self.frame_samples) / 1000


def test_a_frame_of_a_stereo_codec_has_both_sides_in_turns() -> None:
    """It is as long as the codec makes it: 3,840 samples of each."""
    codes = torch.tensor([[100, 200, 0, 0, 0, 0, 0, 0]])
    made = Vocoder(cast(Cat, StereoCodec()), 8, Immediate(model().rows), CPU, batch=1)
    (frame,) = run(made, rows(codes))
    sides = samples([frame]).reshape(-1, 2)
    assert sides.shape == (3_840, 2) and (sides == [3277, 6553]).all()
