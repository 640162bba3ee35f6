"""From the folders of a model and its codec to an engine that is warm."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from moss_stream.codec.cat import Cat
from moss_stream.codec.config import CatConfig
from moss_stream.codec.load import load_cat
from moss_stream.config import EngineOptions
from moss_stream.engine.choose_compute import choose_compute, wants_compiled
from moss_stream.engine.defaults import read_defaults
from moss_stream.engine.device import choose_device, choose_dtype, choose_threads
from moss_stream.engine.speech_engine import SpeechEngine
from moss_stream.errors import ConfigError, UnsupportedModel
from moss_stream.families.family import Checkpoint, find
from moss_stream.families.network import Network
from moss_stream.hub import read_json
from moss_stream.kernels.choose import choose_ops
from moss_stream.nn.ops import TorchOps, use
from moss_stream.voices import read_voices

__all__ = ["answer_rows", "load_engine"]

MAX_ANSWER_ROWS = 750
"""60 s: answers are seldom longer; one that is goes on in a new context, between two sentences."""

logger = logging.getLogger("moss_stream.engine")


def load_engine(model: Path, codec: Path, device: str, dtype: str, options: EngineOptions) -> SpeechEngine:
    """Load both checkpoints from their folders.

    Raises:
        LoadError: A checkpoint cannot be loaded, or the two do not fit together.
        ConfigError: There is no such device or dtype.
    """
    target = choose_device(device)
    size = sum(file.stat().st_size for file in model.glob("*.safetensors"))
    if target.type == "cpu":
        torch.set_num_threads(choose_threads(options.threads, size))
    checkpoint = find(model)
    _check_fit(checkpoint, model, codec)
    number_format, is_compiled = _choose(checkpoint, target, dtype, options, size)
    plain = options.replace(pack_weights=False) if is_compiled else options
    network = checkpoint.network(target, number_format, plain)
    capacity = min(options.max_context, network.rows.max_rows)
    cat = load_cat(codec, target, plain)
    use(choose_ops(target, number_format), network)
    use(choose_ops(target, torch.float32), cat)
    voices = read_voices(model, checkpoint.num_codebooks, checkpoint.codebook_size)
    compute = partial(choose_compute, network, cat, options) if is_compiled else None
    build = partial(
        SpeechEngine,
        network,
        cat,
        checkpoint.prompts(capacity - answer_rows(capacity)),
        options,
        model.name,
        voices,
        read_defaults(model, checkpoint),
        compute,
    )
    engine = _warmed_up(build, network, cat)
    logger.info("Loaded %s with the codec %s.", engine.info.description, codec.name)
    return engine


def _choose(
    checkpoint: Checkpoint, device: torch.device, dtype: str, options: EngineOptions, size: int
) -> tuple[torch.dtype, bool]:
    """Return the number format of the speech model, and whether its frames are compiled (in float32)."""
    number_format = choose_dtype(dtype, device)
    if not checkpoint.has_loops:
        if options.compiled:
            raise ConfigError(
                "compiled=True: there are no loops for this model. Leave it out, and PyTorch computes."
            )
        return number_format, False
    if dtype != "auto" and number_format is not torch.float32:
        if options.compiled:
            raise ConfigError(
                f"compiled=True computes in float32, not in dtype={dtype!r}. Leave one of them out."
            )
        return number_format, False
    is_compiled = wants_compiled(device, number_format, options, checkpoint.backbone, size)
    return (torch.float32 if is_compiled else number_format), is_compiled


def _warmed_up(build: Callable[[], SpeechEngine], network: Network, codec: Cat) -> SpeechEngine:
    """Build an engine and warm it up; without our kernels, if they fail with the model."""
    try:
        engine = build()
        engine.warm_up()
        return engine
    except Exception as error:  # whatever Triton may say of a size that was not tried
        if type(network.ops) is TorchOps:
            raise
        logger.warning("The kernels fail with this model (%s): PyTorch computes, which is slower.", error)
    # Outside the handler, where the first engine's memory is free again.
    use(TorchOps(), network, codec)
    engine = build()
    engine.warm_up()
    return engine


def answer_rows(capacity: int) -> int:
    """Return the rows of a context that a prompt with a dialogue leaves to the answer: at most a minute."""
    return min(capacity // 4, MAX_ANSWER_ROWS)


def _check_fit(model: Checkpoint, model_path: Path, codec_path: Path) -> None:
    """Hold the two configs against each other, before the weights of either are read."""
    config = CatConfig.parse(read_json(codec_path, "config.json"), str(codec_path))
    found, quantizer = config.format, config.quantizer_kwargs
    if found is not model.codec:
        raise UnsupportedModel(
            f"The codec {codec_path} does not belong to the model {model_path}: it is {found.name}, and the "
            f"model speaks through {model.codec.name}. Give {model.codec.repository} as codec."
        )
    if quantizer.num_quantizers < model.num_codebooks or quantizer.codebook_size != model.codebook_size:
        raise UnsupportedModel(
            f"The codec {codec_path} does not belong to the model {model_path}: it has "
            f"{quantizer.num_quantizers} codebooks of {quantizer.codebook_size}, the model speaks "
            f"{model.num_codebooks} of {model.codebook_size}. Give the codec that the model was trained with."
        )
