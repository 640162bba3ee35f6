"""Codec v2: 48 kHz stereo, and a window of its own for each stage; see `test_cat` for what both have."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from golden_data import GOLDEN, codec, expected
from torch import Tensor

from moss_stream.codec.config import CatConfig
from moss_stream.errors import CorruptCheckpoint
from tests.codec.test_cat import every, random_sizes

RAW: dict[str, Any] = json.loads((GOLDEN / "cat_v2" / "config.json").read_text(encoding="utf-8"))
FRAME_SAMPLES = 2 * 3840


def decode(codes: Tensor, sizes: list[int]) -> Tensor:
    """Decode [T, K] in chunks of `sizes`: [2, N]."""
    decoder = codec("cat_v2").decoder
    state = decoder.new_state(max_frames=max(sizes))
    with torch.inference_mode():
        turns = torch.cat([decoder(chunk[None], state) for chunk in codes.split(sizes)], dim=1)[0]
    return turns.view(-1, 2).T


def test_what_it_says_of_itself() -> None:
    """Rate, channels and the samples of a frame are those of the checkpoint, at home in one place."""
    made = codec("cat_v2")
    assert (made.sample_rate, made.channels, made.frame_samples) == (48_000, 2, 3840)
    assert (codec().sample_rate, codec().channels, codec().frame_samples) == (24_000, 1, 1920)


@pytest.mark.parametrize("k", [6, 8])
def test_golden_waveforms(k: int) -> None:
    """Decoding gives the reference's two channels at each number of codebooks."""
    found = decode(expected("cat_v2")["a.codes"][:, :k], [10])
    torch.testing.assert_close(found, expected("cat_v2")[f"a.decoded.k{k}"], atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    "sizes",
    [[36], every(1, 36), every(2, 36), every(3, 36), every(7, 36), random_sizes(36)],
    ids=["whole", "1", "2", "3", "7", "random"],
)
def test_chunked_decoding_equals_offline_past_every_window(sizes: list[int]) -> None:
    """However 36 frames are cut, the waveform is the offline one; the longest window has 19 of them."""
    found = decode(expected("cat_v2")["long.codes"], sizes)
    torch.testing.assert_close(found, expected("cat_v2")["long.decoded"], atol=1e-4, rtol=0)


def test_a_batch_of_frames_that_are_not_committed_leaves_no_trace() -> None:
    """Two streams decoded together, one of them a frame at a time with wrong frames in between."""
    codes, decoder = expected("cat_v2")["long.codes"], codec("cat_v2").decoder
    state = decoder.new_state(batch=2, max_frames=1)
    out = []
    with torch.inference_mode():
        for frame in codes.split(1):
            decoder(torch.stack([frame.flip(-1), frame]), state, torch.tensor([False, True]))
            out.append(decoder(torch.stack([frame, frame]), state, torch.tensor([True, False]))[0])
    found = torch.cat(out).view(-1, 2).T
    torch.testing.assert_close(found, expected("cat_v2")["long.decoded"], atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["a", "dual_mono", "ragged"])
def test_golden_codes(name: str) -> None:
    """Encoding [N, 2] gives the reference's codes; the last part of a frame does not count."""
    samples = expected("cat_v2")[f"wav.{name}"].T
    assert torch.equal(codec("cat_v2").encode(samples), expected("cat_v2")[f"{name}.codes"])


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_mono_goes_to_both_channels(shape: tuple[int, ...]) -> None:
    """As the reference does with a recording of one channel."""
    samples = expected("cat_v2")["wav.dual_mono"][0].reshape(shape)
    assert torch.equal(codec("cat_v2").encode(samples), expected("cat_v2")["dual_mono.codes"])


def test_mono_for_a_mono_codec_may_have_a_channel() -> None:
    """[N, 1] is [N]."""
    samples = expected("cat")["wav.a"]
    assert torch.equal(codec().encode(samples[:, None]), codec().encode(samples))


@pytest.mark.parametrize("name", ["a", "dual_mono", "ragged"])
def test_golden_encoder_hidden(name: str) -> None:
    """The vectors before the quantizer are the reference's."""
    encoder, samples = codec("cat_v2").encoder, expected("cat_v2")[f"wav.{name}"].T.flatten()
    whole = samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES]
    with torch.inference_mode():
        hidden = encoder.hidden(whole[None], encoder.new_state(max_frames=10))[0]
    torch.testing.assert_close(hidden.T, expected("cat_v2")[f"{name}.encoder_hidden"], atol=1e-4, rtol=0)


@pytest.mark.parametrize("size", [1, 2, 7])
def test_chunked_encoding_equals_offline(size: int) -> None:
    """However a recording is cut, the codes are the same, past every window."""
    samples = expected("cat_v2")["wav.a"].T.flatten().repeat(3)[None]
    encoder = codec("cat_v2").encoder
    state, whole = encoder.new_state(max_frames=size), encoder.new_state(max_frames=30)
    with torch.inference_mode():
        chunks = [encoder(chunk, state) for chunk in samples.split(size * FRAME_SAMPLES, dim=1)]
        assert torch.equal(torch.cat(chunks, dim=1), encoder(samples, whole))


def test_each_stage_has_a_window_of_its_own() -> None:
    """Its duration at its own rate, rounded; without one, that of the whole codec."""
    config = CatConfig.parse(RAW, "here")
    windows = [config.window(stage, 12.5 * 2**n) for n, stage in enumerate(config.decoder_kwargs[::2])]
    assert windows == [19, 25, 40, 40, 40, 40]
    assert config.window(config.decoder_kwargs[0].model_copy(update={"context_duration": None}), 12.5) == 125


def test_the_rate_has_two_spellings() -> None:
    """`sample_rate` is read, too."""
    raw = {name: value for name, value in RAW.items() if name != "sampling_rate"} | {"sample_rate": 48_000}
    assert CatConfig.parse(raw, "here") == CatConfig.parse(RAW, "here")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"enable_channel_interleave": False}, "take turns"),
        ({"downsample_rate": 1920}, "1920 instead of 3840"),
        ({"decoder_kwargs": [*RAW["decoder_kwargs"][:-1]]}, "decoder_kwargs ends"),
        ({"encoder_kwargs": [{**RAW["encoder_kwargs"][0], "patch_size": 120}]}, "encoder_kwargs"),
        ({"decoder_kwargs": [{**RAW["decoder_kwargs"][0], "context_duration": 0.01}]}, "context_duration"),
    ],
)
def test_what_makes_no_sense_is_named(change: dict[str, Any], what: str) -> None:
    """Before anything is allocated."""
    with pytest.raises(CorruptCheckpoint, match=what):
        CatConfig.parse({**RAW, **change}, "here")
