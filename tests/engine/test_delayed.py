from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from delay_data import DelayCase, case, ended, engine, golden_segments, heard, run, whole_codes
from delay_fake import END_SLOT, IM_END, SLOT, START, DelayFake, row_format, rows_of
from golden_data import codec
from virtual_time import PREFILL_S, STEP_S, Lab

from moss_stream.config import SynthesisOptions
from moss_stream.engine.aligner import Immediate
from moss_stream.engine.delayed import Delayed, aligner_for
from moss_stream.engine.generator import Step
from moss_stream.families.network import DelayFormat

ROWS = row_format(8)


def listened(rows: list[list[int]], **options: Any) -> list[tuple[int, int, list[int]]]:
    """For each frame that is heard: the step, how many codebooks, and its codes."""
    aligner = Delayed(ROWS, DelayFormat(START, SLOT, END_SLOT), 2, torch.device("cpu"))
    aligner.open(1, SynthesisOptions(**options))
    found, whole = [], []
    for number, row in enumerate(rows):
        step = Step(torch.tensor([[0] * 9, row]), torch.tensor([False, True]), 8)
        got = aligner.align(step)
        assert got.used is not None and got.whole is not None and got.is_whole is not None
        assert not bool(got.has_frame[0]) and not bool(got.is_whole[0])
        if bool(got.has_frame[1]):
            found.append((number, int(got.used[1].sum()), got.codes[1].tolist()))
        if bool(got.is_whole[1]):
            whole.append(got.whole[1].tolist())
        assert got.is_outside is not None
        assert bool(got.is_outside[1]) == (row[0] not in (START, SLOT, END_SLOT))
        assert bool(got.is_end[1]) == (row[0] == IM_END)
    assert whole == [codes for codes in whole if max(codes) < 64] and len(whole) == len(found)
    return found


@pytest.mark.parametrize("length", [1, 2, 7, 8, 9, 30])
@pytest.mark.parametrize("n_vq", [1, 4, 8])
def test_a_frame_is_heard_as_soon_as_its_codebooks_are_there(length: int, n_vq: int) -> None:
    """Frame t with K codebooks in row t + K - 1 of the audio, behind the row of its start."""
    codes = np.random.default_rng(length).integers(0, 64, (length, 8))
    found = listened(rows_of(codes), n_vq=n_vq)
    assert [step for step, _, _ in found] == [1 + t + n_vq - 1 for t in range(length)]
    assert [frame[:n_vq] for _, _, frame in found] == codes[:, :n_vq].tolist()
    assert all(count == n_vq and not any(frame[n_vq:]) for _, count, frame in found)


@pytest.mark.parametrize(("first", "most"), [(1, 8), (3, 8), (2, 5), (8, 8), (6, 4)])
def test_a_stream_that_begins_with_few_codebooks(first: int, most: int) -> None:
    """One more with each frame; until all are there, a frame takes two rows."""
    codes = np.random.default_rng(first).integers(0, 64, (20, 8))
    found = listened(rows_of(codes), first_n_vq=first, n_vq=most)
    depths = [min(min(first, most) + t, most) for t in range(20)]
    assert [count for _, count, _ in found] == depths
    assert [step for step, _, _ in found] == [1 + t + depth - 1 for t, depth in enumerate(depths)]
    for (_, count, frame), wanted in zip(found, codes, strict=True):
        assert frame[:count] == wanted[:count].tolist()


def test_the_voice_stays_whole_in_the_audios_that_follow() -> None:
    """Growing is for the first audio of a stream, not for each."""
    one, two = (np.random.default_rng(seed).integers(0, 64, (12, 8)) for seed in range(2))
    found = listened([*rows_of(one)[:-1], *rows_of(two)], first_n_vq=2)
    assert [count for _, count, _ in found][6:] == [8] * 18


@pytest.mark.parametrize("which", ended(), ids=lambda each: f"{each.kind}-{each.name}")
def test_golden_segments(which: DelayCase) -> None:
    """What becomes whole is what the reference cuts out in the end; what was there before is not repeated."""
    frames, wanted = run(engine(which.kind), which), golden_segments(which)
    np.testing.assert_array_equal(whole_codes(frames), wanted)
    assert len(heard(frames)) == len(wanted)


@pytest.mark.parametrize("options", [{}, {"n_vq": 4}, {"n_vq": 1}, {"first_n_vq": 2}])
def test_what_is_heard_is_what_the_codec_makes_of_it_offline(options: dict[str, int]) -> None:
    """The waveform of the whole, with as many codebooks of each frame as were asked for."""
    which = case("clone_continuation")
    frames = run(engine(which.kind), which, **options)
    codes = whole_codes(frames)
    most, first = options.get("n_vq", 8), options.get("first_n_vq", options.get("n_vq", 8))
    depths = torch.tensor([min(first + t, most) for t in range(len(codes))])
    used = torch.arange(8) < depths[:, None]
    cat = codec()
    state, parts = cat.decoder.new_state(1, max_frames=1), []
    with torch.inference_mode():
        for frame, mask in zip(torch.from_numpy(codes), used, strict=True):
            parts.append(cat.decoder(frame[None, None], state, used=mask[None])[0])
        if "first_n_vq" not in options:
            offline = cat.decoder(
                torch.from_numpy(codes[None, :, :most]), cat.decoder.new_state(1, len(codes))
            )[0]
            torch.testing.assert_close(torch.cat(parts), offline, atol=1e-4, rtol=0)
    wanted = torch.cat(parts).clamp(-1, 1).numpy()
    sound = np.concatenate([np.frombuffer(frames[i].pcm, "<i2") for i in heard(frames)]) / 32767
    np.testing.assert_allclose(sound, wanted, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        *((SynthesisOptions(n_vq=n), n) for n in (1, 4, 8, 16, 32)),
        (SynthesisOptions(), 32),
        (SynthesisOptions(first_n_vq=4), 4),
        (SynthesisOptions(first_n_vq=1, n_vq=16), 1),
    ],
)
async def test_the_first_chunk_leaves_after_as_many_rows_as_codebooks(
    options: SynthesisOptions, rows: int
) -> None:
    """Behind the prompt and the row that starts the audio, by the clock; the others follow row by row."""
    lab = Lab(DelayFake(frames_per_segment=40))
    began_s = lab.now_s
    listener = lab.speak("Hello there, good morning.", options)
    await lab.run(10.0, until=lambda: bool(listener.chunks))
    assert lab.now_s - began_s == pytest.approx(PREFILL_S + (1 + rows) * STEP_S)
    await lab.run(10.0)
    assert listener.is_done and listener.error is None
    assert sum(bool(chunk.pcm) for chunk in listener.chunks) == 40


@pytest.mark.parametrize("n_vq", [1, 2, 4, 8])
def test_the_model_does_not_notice_how_many_codebooks_are_heard(n_vq: int) -> None:
    """The same codes, earlier: the first frame after K rows."""
    which = case("continuation")
    made = engine(which.kind)
    frames, full = run(made, which, n_vq=n_vq), run(made, which)
    np.testing.assert_array_equal(whole_codes(frames), whole_codes(full))
    assert heard(frames)[0] == n_vq - 1 and heard(full)[0] == 7


def test_the_rows_say_whether_they_are_frames() -> None:
    """A model without a delay pattern makes a frame a row."""
    cpu = torch.device("cpu")
    assert isinstance(aligner_for(ROWS, 2, cpu), Immediate)
    assert isinstance(aligner_for(replace(ROWS, delay=DelayFormat(START, SLOT, END_SLOT)), 2, cpu), Delayed)
