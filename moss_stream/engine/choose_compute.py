"""Whether a frame on the CPU is computed by compiled loops or by PyTorch."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from moss_stream.codec.cat import Cat
from moss_stream.config import ChannelSampling, EngineOptions, SamplingOptions, SynthesisOptions
from moss_stream.engine.device import SMALL_MODEL_BYTES
from moss_stream.engine.generator import FrameGenerator
from moss_stream.engine.runner import Compute, EagerCompute
from moss_stream.engine.vocoder import Vocoder
from moss_stream.errors import ConfigError
from moss_stream.families.local.network import MossTTSLocal
from moss_stream.families.network import Network
from moss_stream.nn.config import TransformerConfig
from moss_stream.nn.packing import pack_linears

__all__ = ["choose_compute", "wants_compiled", "why_not_compiled"]

logger = logging.getLogger("moss_stream.engine")

TOLERANCE = 2e-3
"""Of the largest value: rounding, over all layers."""
TRIAL_ROWS, TRIAL_FRAMES = 8, 3
"""A few of each: the third frame has read rows of the prompt and of the two before, through every part."""
RUNS = 3
"""The fastest of three is not slowed by whatever else the machine does; together they take milliseconds."""
GREEDY = ChannelSampling(temperature=0.0)


def wants_compiled(
    device: torch.device, dtype: torch.dtype, options: EngineOptions, config: TransformerConfig, size: int
) -> bool:
    """Tell whether to try the compiled loops for a model whose weights have `size` bytes.

    They run on one thread and read weights in 16 bits. What PyTorch's operations cost beyond their arithmetic
    is most of a small model's frame, so that is compiled; for a large one a product of its size is timed.

    Args:
        device: Of the model.
        dtype: That PyTorch would compute in.
        options: `compiled` says yes or no; None leaves it to this function.
        config: Of the backbone.
        size: Of the weights' files.

    Raises:
        ConfigError: `options` ask for what cannot be.
    """
    if options.compiled is False:
        return False
    problem = why_not_compiled(device, options)
    if problem is None:
        return options.compiled is True or size <= SMALL_MODEL_BYTES or _is_faster(config, dtype)
    if options.compiled:
        raise ConfigError(f"compiled=True cannot be used: {problem}. Leave it out, and PyTorch computes.")
    return False


def why_not_compiled(device: torch.device, options: EngineOptions) -> str | None:
    """Return why no model's frames can be compiled here, in a few words; None if they can."""
    if device.type != "cpu":
        return f"it is for the CPU, and the device is {device}"
    for name in ("depth_int8", "backbone_int8"):
        if getattr(options, name):
            return f"{name}=True keeps weights as PyTorch's operations read them"
    try:
        import moss_stream.cpu.linear  # noqa: F401
    except ImportError as error:
        return f"Numba cannot be imported ({error}): pip install numba"
    return None


def _is_faster(config: TransformerConfig, dtype: torch.dtype) -> bool:
    """Time the product of a row with a matrix of the model's size, in both ways."""
    from moss_stream.cpu.linear import linear, pack, padded

    inputs, outputs = config.hidden_size, config.intermediate_size
    plain = nn.Linear(inputs, outputs, bias=False, dtype=dtype)
    x, packed = torch.zeros(1, inputs, dtype=dtype), _packed(plain)
    tiles = pack(np.zeros((outputs, inputs), np.float32), "bfloat16")
    row, out = np.zeros((1, inputs), np.float32), np.zeros((1, padded(outputs)), np.float32)
    with torch.inference_mode():
        return _seconds(lambda: linear(row, tiles, out, 1)) < _seconds(lambda: packed(x))


def _packed(linear: nn.Linear) -> nn.Module:
    holder = nn.Sequential(linear)
    pack_linears(holder)
    return holder


def _seconds(work: Callable[[], object]) -> float:
    work()
    times = []
    for _ in range(RUNS):
        began_s = time.perf_counter()
        work()
        times.append(time.perf_counter() - began_s)
    return min(times)


def choose_compute(
    model: Network, codec: Cat, options: EngineOptions, generator: FrameGenerator, vocoder: Vocoder
) -> Compute:
    """Return compiled loops that have computed what PyTorch computes; otherwise PyTorch, with a warning.

    Of a model that is compiled the matrices are given up: nothing reads them any more.
    """
    eager = EagerCompute(generator, vocoder)
    try:
        from moss_stream.engine.compiled import CompiledCompute

        if not isinstance(model, MossTTSLocal):
            raise ConfigError("there are none for this family")
        began_s = time.perf_counter()
        ours = CompiledCompute(model, codec.decoder, generator, vocoder)
        problem = _difference(_trial(eager, generator, vocoder), _trial(ours, generator, vocoder))
        logger.info("Compiling for this CPU and checking it took %.1f s.", time.perf_counter() - began_s)
    except Exception as error:  # whatever a compiler for this CPU may say
        problem = f"{type(error).__name__}: {str(error).partition(chr(10))[0] or 'no message'}"
    if problem is None:
        _give_up(cast(nn.Module, model), codec.decoder.stages)  # the encoder needs the quantizer
        if options.pack_weights:
            pack_linears(codec.encoder)
        return ours
    logger.warning("The compiled loops are not used (%s): PyTorch computes, which is slower.", problem)
    if options.pack_weights:
        pack_linears(cast(nn.Module, model))
        pack_linears(codec)
    return eager


def _trial(compute: Compute, generator: FrameGenerator, vocoder: Vocoder) -> list[Tensor]:
    """Run a short prompt and a few frames in slot 0; return states, rows and samples."""
    generator.open(0, SynthesisOptions(sampling=SamplingOptions(text=GREEDY, audio=GREEDY)))
    generator.forget(0)
    vocoder.reset(0)
    rows = np.ones((TRIAL_ROWS, generator.rows.shape[1]), np.int64)
    rows[:, 0] = np.arange(TRIAL_ROWS)
    generator.begin(0, rows)
    compute.chunk(generator.prepare_chunk(0))
    generator.note_chunk(0)
    found = [generator.hidden[0].clone()]
    for _ in range(TRIAL_FRAMES):
        compute.frame(generator.prepare([0]))
        generator.note([0])
        found += [
            generator.hidden[0].clone(),
            generator.rows[0].float(),
            vocoder.host[0, vocoder.pcm] / 32767,
        ]
    generator.forget(0)
    vocoder.reset(0)
    return found


def _difference(wanted: list[Tensor], found: list[Tensor]) -> str | None:
    """Return where the results differ by more than rounding; None if nowhere."""
    for index, (a, b) in enumerate(zip(wanted, found, strict=True)):
        apart = (a - b).abs().max() / a.abs().max().clamp(min=1.0)
        if not apart <= TOLERANCE:  # values that are not numbers compare as false
            return f"result {index} of the trial is off by {apart:.1g}"
    return None


def _give_up(*modules: nn.Module) -> None:
    for module in modules:
        for part in module.modules():
            if isinstance(part, nn.Linear):
                part.weight = nn.Parameter(torch.empty(0), requires_grad=False)
