from __future__ import annotations

import random

import pytest
import torch
from golden_data import codec, expected
from torch import Tensor

FRAME_SAMPLES = codec().frame_samples


def decode(codes: Tensor, sizes: list[int]) -> Tensor:
    """Decode [T, K] in chunks of `sizes`."""
    decoder = codec().decoder
    state = decoder.new_state(max_frames=max(sizes))
    with torch.inference_mode():
        return torch.cat([decoder(chunk[None], state) for chunk in codes.split(sizes)], dim=1)[0]


def every(size: int, total: int) -> list[int]:
    return [size] * (total // size) + ([total % size] if total % size else [])


def random_sizes(total: int) -> list[int]:
    choose = random.Random(0)
    sizes: list[int] = []
    while sum(sizes) < total:
        sizes.append(min(choose.randint(1, 12), total - sum(sizes)))
    return sizes


@pytest.mark.parametrize("name", ["a", "b"])
@pytest.mark.parametrize("k", [1, 4, 8])
def test_golden_waveforms(name: str, k: int) -> None:
    """Decoding gives the reference's waveform at each number of codebooks."""
    codes = expected("cat")[f"{name}.codes"]
    torch.testing.assert_close(
        decode(codes[:, :k], [40]), expected("cat")[f"{name}.decoded.k{k}"], atol=1e-4, rtol=0
    )


@pytest.mark.parametrize(
    "sizes", [[150], every(1, 150), every(3, 150), every(7, 150), random_sizes(150)], ids=len
)
def test_chunked_decoding_equals_offline_past_the_window(sizes: list[int]) -> None:
    """However 150 frames (6 windows of 2 s) are cut, the waveform is the offline one."""
    codes = expected("cat")["long.codes"]
    torch.testing.assert_close(decode(codes, sizes), expected("cat")["long.decoded"], atol=1e-4, rtol=0)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 6, 7])
def test_chunked_decoding_equals_offline_at_every_depth(k: int) -> None:
    """Frame by frame and at once agree for each number of codebooks, past the window."""
    codes = expected("cat")["long.codes"][:60, :k]
    torch.testing.assert_close(decode(codes, every(1, 60)), decode(codes, [60]), atol=1e-4, rtol=0)


def test_streams_of_a_batch_do_not_hear_each_other() -> None:
    """Two streams decoded together give what each gives alone."""
    both = torch.stack([expected("cat")[f"{name}.codes"] for name in "ab"])
    state = codec().decoder.new_state(batch=2, max_frames=5)
    with torch.inference_mode():
        out = torch.cat([codec().decoder(chunk, state) for chunk in both.split(5, dim=1)], dim=1)
    for row, name in enumerate("ab"):
        torch.testing.assert_close(out[row], expected("cat")[f"{name}.decoded.k8"], atol=1e-4, rtol=0)


def test_a_frame_that_is_not_committed_leaves_no_trace() -> None:
    """Decoding a wrong frame speculatively, at any place, does not change what follows."""
    codes = expected("cat")["long.codes"][:60]
    decoder = codec().decoder
    state = decoder.new_state(max_frames=1)
    out = []
    with torch.inference_mode():
        for frame in codes.split(1):
            decoder(frame.flip(-1)[None], state, torch.tensor([False]))
            out.append(decoder(frame[None], state, torch.tensor([True])))
    torch.testing.assert_close(torch.cat(out, dim=1)[0], decode(codes, [60]), atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["a", "b", "ragged"])
def test_golden_codes(name: str) -> None:
    """Encoding gives the reference's codes; the last part of a frame does not count."""
    samples = expected("cat")[f"wav.{name}"]
    frames = len(samples) // FRAME_SAMPLES
    assert torch.equal(codec().encode(samples), expected("cat")[f"{name}.codes"][:frames])


def test_golden_batch_codes() -> None:
    """Each recording alone gives the codes the reference gives in a batch of three lengths."""
    data = expected("cat")
    for row, name in enumerate(["a", "b", "ragged"]):
        length = min(int(data["batch.lengths"][row]), len(data[f"wav.{name}"]) // FRAME_SAMPLES)
        codes = codec().encode(data[f"wav.{name}"])
        assert torch.equal(codes[:length], data["batch.codes"][row, :length]), name


@pytest.mark.parametrize("name", ["a", "b"])
def test_golden_encoder_hidden(name: str) -> None:
    """The vectors before the quantizer are the reference's."""
    encoder = codec().encoder
    with torch.inference_mode():
        hidden = encoder.hidden(expected("cat")[f"wav.{name}"][None], encoder.new_state(max_frames=40))[0]
    torch.testing.assert_close(hidden.T, expected("cat")[f"{name}.encoder_hidden"], atol=1e-4, rtol=0)


@pytest.mark.parametrize("size", [1, 3, 25])
def test_chunked_encoding_equals_offline(size: int) -> None:
    """However a recording is cut, the codes are the same, past the window."""
    samples = torch.cat([expected("cat")["wav.a"], expected("cat")["wav.b"]])
    encoder = codec().encoder
    state, whole = encoder.new_state(max_frames=size), encoder.new_state(max_frames=80)
    with torch.inference_mode():
        chunks = [encoder(chunk[None], state) for chunk in samples.split(size * FRAME_SAMPLES)]
        assert torch.equal(torch.cat(chunks, dim=1), encoder(samples[None], whole))


def test_state_does_not_grow() -> None:
    """The rings of a stream are the same memory after 100 frames."""
    decoder = codec().decoder
    state = decoder.new_state(max_frames=1)
    before = [(ring.keys.data_ptr(), ring.keys.nbytes) for ring, _ in state.rings]
    with torch.inference_mode():
        for frame in expected("cat")["long.codes"][:100].split(1):
            decoder(frame[None], state)
    assert [(ring.keys.data_ptr(), ring.keys.nbytes) for ring, _ in state.rings] == before


def test_reset_starts_over() -> None:
    """After a reset a state decodes as a new one."""
    decoder = codec().decoder
    codes = expected("cat")["a.codes"][None, :5]
    state = decoder.new_state(max_frames=5)
    with torch.inference_mode():
        first = decoder(codes, state)
        state.reset(0)
        assert torch.equal(decoder(codes, state), first)
