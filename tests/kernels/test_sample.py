from __future__ import annotations

import random as chance

import pytest
import torch
from kernel_lab import DEVICE, random

from moss_stream.config import ChannelSampling
from moss_stream.kernels.sample import sample
from moss_stream.nn.sampling import Draw, Sampler
from moss_stream.nn.sampling import sample as by_torch


def sampler(vocab: int, batch: int, seed: int, pad: int | None) -> Sampler:
    """Sequences with all kinds of options, some with values that they have seen, some standing still."""
    chosen = chance.Random(seed)
    made = Sampler(batch, 1, vocab, DEVICE, pad)
    for slot in range(batch):
        channel = ChannelSampling(
            temperature=chosen.choice([0.0, 0.3, 1.0, 1.7]),
            top_k=chosen.choice([0, 1, 5, 50, 5000]),
            top_p=chosen.choice([1.0, 0.95, 0.5, 0.01]),
            repetition_penalty=chosen.choice([1.0, 1.1, 2.0]),
        )
        made.configure(slot, [channel, channel], seed + slot)
        seen = torch.randint(0, vocab, (20, 1), generator=torch.Generator().manual_seed(slot))
        made.remember(slot, seen)
    made.next_frame(torch.arange(batch, device=DEVICE) % 3 > 0)
    return made


@pytest.mark.parametrize("has_ties", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("vocab", "batch"), [(65, 12), pytest.param(1025, 3, marks=pytest.mark.ci)])
def test_a_row_is_drawn_as_by_tensor_arithmetic(
    vocab: int, batch: int, dtype: torch.dtype, has_ties: bool
) -> None:
    """Same values and same memory, for any options; among equal values too."""
    pad = vocab - 1
    made = sampler(vocab, batch, 7, pad)
    logits = (3 * random(batch, vocab)).to(dtype)
    if has_ties:
        logits = (2 * logits).round() / 2
    ours, theirs = made.seen[:, 0].clone(), made.seen[:, 0].clone()
    out = torch.zeros(batch, 2, dtype=torch.int64, device=DEVICE)
    numbers, options = made._uniform[:, 1:2], made.options(1, batch)
    sample(logits, Draw(options, numbers, made._active, ours, pad), out[:, 1])
    wanted = torch.zeros(batch, dtype=torch.int64, device=DEVICE)
    by_torch(logits.clone(), Draw(options, numbers, made._active, theirs, pad), wanted)
    assert out[:, 1].tolist() == wanted.tolist() and not out[:, 0].any()
    assert torch.equal(ours, theirs)


def test_two_values_without_a_penalty() -> None:
    """The text channel: one more frame, or the end."""
    made = sampler(2, 8, 3, None)
    logits, out = random(8, 2), torch.zeros(8, dtype=torch.int64, device=DEVICE)
    draw = Draw(made.options(0, 8), made._uniform[:, :1], made._active)
    sample(logits, draw, out)
    wanted = torch.zeros_like(out)
    by_torch(logits, draw, wanted)
    assert out.tolist() == wanted.tolist() and {0, 1} == set(out.tolist())


@pytest.mark.parametrize("batch", [1, 3, 4])
def test_all_codebooks_at_once(batch: int) -> None:
    """Of the first sequences of four, each with its own options: the same codes, and the same memory."""
    drawn = []
    for draw in (sample, by_torch):
        made = Sampler(4, 3, 33, DEVICE, 32, draw, penalises_greedy=True)
        for slot in range(4):
            audio = ChannelSampling(temperature=0.3 * slot, top_k=5 + slot, repetition_penalty=1.5)
            made.configure(slot, [ChannelSampling(), audio, audio, audio], slot)
            made.remember(slot, torch.randint(0, 32, (9, 3), generator=torch.Generator().manual_seed(slot)))
        logits, wanted = 3 * random(batch, 3, 33), torch.tensor([True, False, True], device=DEVICE)
        codes = []
        for _ in range(3):
            made.next_frame(torch.ones(batch, dtype=torch.bool, device=DEVICE))
            codes.append(made.codes(logits.clone(), wanted.expand(batch, -1)).tolist())
        drawn.append((codes, made.seen.tolist()))
    assert drawn[0] == drawn[1]
