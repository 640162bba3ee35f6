"""The compiled functions against NumPy and the standard library."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch

from moss_stream.config import ChannelSampling
from moss_stream.cpu import elementwise
from moss_stream.cpu.build import sampler_arrays
from moss_stream.cpu.jit import compiled
from moss_stream.cpu.linear import Format, formats, linear, pack, padded
from moss_stream.cpu.sampling import draw, uniform
from moss_stream.nn import sampling

Floats = npt.NDArray[np.float32]


@compiled
def exponentials(x, out):  # type: ignore[no-untyped-def]
    for i in range(len(x)):
        out[i] = elementwise.exp(x[i])


@compiled
def gelus(x):  # type: ignore[no-untyped-def]
    elementwise.gelu(x, x.shape[0], x.shape[1])


@compiled
def draws(state, channel, slot, logits, count):  # type: ignore[no-untyped-def]
    return draw(state, channel, slot, logits, count)


@compiled
def number(seed, frame, channel):  # type: ignore[no-untyped-def]
    return uniform(seed, frame, channel)


def random_floats(*shape: int) -> Floats:
    return np.random.default_rng(3).standard_normal(shape).astype(np.float32)


def rounded(weight: Floats, number_format: Format) -> Floats:
    """Round a matrix to what a number format holds."""
    if number_format == "float16":
        return weight.astype(np.float16).astype(np.float32)
    return (weight.view(np.uint32) & 0xFFFF0000).view(np.float32) if number_format == "bfloat16" else weight


@pytest.mark.parametrize("number_format", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize(("inputs", "outputs"), [(256, 64), (24, 65), (7, 3), (192, 1025)])
def test_products(number_format: Format, inputs: int, outputs: int) -> None:
    """Any number of rows and sizes of matrices, in each number format, exactly but for rounding."""
    weight = rounded(random_floats(outputs, inputs), number_format)
    assert number_format in formats(weight)
    tiles = pack(weight, number_format)
    x = random_floats(9, padded(inputs))
    wanted = x[:, :inputs].astype(np.float64) @ weight.T.astype(np.float64)
    for rows in range(1, 10):
        out = np.full((9, padded(outputs)), np.nan, np.float32)
        linear(x, tiles, out, rows)
        np.testing.assert_allclose(out[:rows, :outputs], wanted[:rows], atol=1e-5 * inputs**0.5)
        assert np.isnan(out[rows:]).all(), "rows beyond are left alone"


def test_a_row_is_the_same_in_any_company() -> None:
    """How many rows are multiplied together changes no bit of any of them."""
    tiles, x = pack(random_floats(80, 100), "float32"), random_floats(9, 112)
    alone = np.zeros((9, 80), np.float32)
    for row in range(9):
        linear(x[row : row + 1], tiles, alone[row : row + 1], 1)
    for rows in range(1, 10):
        out = np.zeros((9, 80), np.float32)
        linear(x, tiles, out, rows)
        np.testing.assert_array_equal(out[:rows], alone[:rows])


def test_formats_are_those_that_lose_nothing() -> None:
    """16 bits are only taken where every value survives them."""
    assert formats(np.array([[1.0, 0.1]], np.float32)) == {"float32"}
    assert formats(np.array([[1.0, 1e-3]], np.float16).astype(np.float32)) == {"float32", "float16"}
    large = rounded(np.array([[1e30, 0.0]], np.float32), "bfloat16")
    assert formats(large) == {"float32", "bfloat16"}
    assert formats(np.array([[0.5, -2.0]], np.float32)) == {"float32", "float16", "bfloat16"}


def test_exponentials_and_gelu() -> None:
    """Within a few units in the last place of the exact functions."""
    x = np.concatenate([np.linspace(-86.0, 87.0, 5001), np.linspace(-1.0, 1.0, 1001)]).astype(np.float32)
    out = np.zeros_like(x)
    exponentials(x, out)
    np.testing.assert_allclose(out, np.exp(x.astype(np.float64)), rtol=4e-7)
    x = np.linspace(-9.0, 9.0, 4001, dtype=np.float32)[None].copy()
    wanted = [0.5 * v * (1 + math.erf(v / 2**0.5)) for v in x[0].astype(float)]
    gelus(x)
    np.testing.assert_allclose(x[0], wanted, atol=2e-6)


def test_random_numbers_are_the_samplers() -> None:
    """The generator gives what the tensor form gives, for seeds of all sizes."""
    for seed in (0, 1, 12345, 2**31, 2**32 + 7, 2**63 - 1):
        for frame in (0, 1, 1000):
            wanted = sampling.uniform(torch.tensor([seed]), torch.tensor([frame]), torch.arange(5))[0]
            assert [number(seed, frame, channel) for channel in range(5)] == wanted.tolist()


SETTINGS = [
    ChannelSampling(temperature=0.0, repetition_penalty=1.5),
    ChannelSampling(temperature=1.0),
    ChannelSampling(temperature=0.7, top_k=5),
    ChannelSampling(temperature=1.3, top_p=0.6),
    ChannelSampling(temperature=0.9, top_k=40, top_p=0.8, repetition_penalty=1.4),
    ChannelSampling(temperature=1.0, top_k=1, top_p=0.5, repetition_penalty=0.7),
]


@pytest.mark.parametrize("options", SETTINGS, ids=range(len(SETTINGS)))
def test_draws_are_the_samplers(options: ChannelSampling) -> None:
    """Penalty, temperature, top-k with ties and top-p draw the value that the tensor form draws.

    Sums are rounded differently, so a draw on the border of two values may fall either way; none here does.
    """
    values = 65
    ours, theirs = (sampling.Sampler(1, 1, values, torch.device("cpu"), pad=values - 1) for _ in range(2))
    made = torch.Generator().manual_seed(1)
    for seed in range(200):
        logits = torch.randn(1, values, generator=made) * 3
        logits[0, 10:14] = logits[0, 9]  # ties
        for sampler in (ours, theirs):
            sampler.configure(0, [options, options], seed)
            sampler.remember(0, torch.arange(0, 30, 3)[:, None])
        theirs.next_frame(torch.tensor([True]))
        wanted = int(theirs.code(0, logits.clone())[0])
        state = sampler_arrays(ours, values)
        assert draws(state, 1, 0, logits[0].numpy().copy(), values) == wanted
        assert torch.equal(ours.seen, theirs.seen)
