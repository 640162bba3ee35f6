"""Models of any shape with random weights: speed does not depend on their values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import torch
from torch import nn

from moss_stream.checkpoint.reader import put
from moss_stream.codec.cat import Cat
from moss_stream.codec.config import CatConfig
from moss_stream.codec.formats import V1, V2
from moss_stream.config import EngineOptions
from moss_stream.families.delay.config import DelayConfig
from moss_stream.families.delay.network import MossTTSDelay
from moss_stream.families.loading import quantize
from moss_stream.families.local.config import LocalConfig
from moss_stream.families.local.network import MossTTSLocal
from moss_stream.families.local_v15.config import LocalV15Config
from moss_stream.families.local_v15.network import MossTTSLocalV15
from moss_stream.families.realtime.config import RealtimeConfig
from moss_stream.families.realtime.network import MossTTSRealtime
from moss_stream.families.row_network import RowNetwork
from moss_stream.kernels.choose import choose_ops
from moss_stream.nn.ops import use
from moss_stream.nn.packing import pack_linears

N = TypeVar("N", bound=RowNetwork)


@dataclass(frozen=True)
class Shape:
    """Widths and depths: transformers as (layers, hidden, inner), codec stages as (layers, width)."""

    backbone: tuple[int, int, int]
    depth: tuple[int, int, int]
    """Of no layers for the family "delay"."""
    heads: tuple[int, int, int]
    """Query heads, key/value heads, head dimension."""
    bridge: int
    """Inner width of the MLPs between backbone and depth transformer."""
    codec: tuple[tuple[int, int], ...]
    """Decoder stages at 12.5, 25, 50 and 100 Hz; of the stereo codec at 200 and 400 Hz, too."""
    vocab: int = 151_936
    num_codebooks: int = 32
    family: Literal["local", "local_v15", "realtime", "delay"] = "local"


SHAPES = {
    "1.7b": Shape(
        (28, 2048, 6144), (4, 1536, 8960), (16, 8, 128), 2048, ((32, 1280), (12, 768), (12, 768), (12, 768))
    ),
    "mid": Shape(
        (8, 1024, 3072), (4, 1024, 6144), (16, 8, 128), 1024, ((4, 512), (2, 384), (2, 384), (2, 384))
    ),
    "tiny": Shape(
        (4, 256, 768), (2, 192, 512), (4, 2, 64), 256, ((2, 128), (1, 128), (1, 128), (1, 128)), 2048
    ),
}


CODEC = SHAPES["1.7b"].codec
# Widths of the makers' configuration classes; the codec is that of Local, decoded at half of its codebooks.
SHAPES["realtime"] = Shape(
    (28, 2048, 6144), (4, 2048, 6144), (16, 8, 128), 0, CODEC, num_codebooks=16, family="realtime"
)
# Small enough for an hour of audio in some minutes.
SHAPES["realtime-tiny"] = Shape(
    (2, 128, 256), (1, 128, 192), (2, 1, 64), 0, ((1, 64),) * 4, 2048, 6, family="realtime"
)
# Widths of the model card (Qwen3-4B, one layer of 2560 and 9728), and of the configuration class of codec v2.
SHAPES["local-v1.5"] = Shape(
    (36, 2560, 9728),
    (1, 2560, 9728),
    (32, 8, 128),
    0,
    ((32, 1280), *((12, 768),) * 5),
    num_codebooks=12,
    family="local_v15",
)
# Widths of Qwen3-8B and Qwen3-1.7B, which the model cards name: MOSS-TTS, TTSD, VoiceGenerator.
SHAPES["delay-8b"] = Shape((36, 4096, 12_288), (0, 0, 0), (32, 8, 128), 0, CODEC, family="delay")
SHAPES["ttsd-8b"] = replace(SHAPES["delay-8b"], num_codebooks=16)
SHAPES["delay-1.7b"] = Shape((28, 2048, 6144), (0, 0, 0), (16, 8, 128), 0, CODEC, family="delay")
# For `benchmarks.loading`, on a machine with little memory.
SHAPES["delay-3gb"] = replace(SHAPES["delay-1.7b"], backbone=(16, 2048, 6144))
SHAPES["delay-tiny"] = Shape((2, 128, 256), (0, 0, 0), (2, 1, 64), 0, ((1, 64),) * 4, 2048, 6, family="delay")


def _qwen3(shape: Shape, layers: int, hidden: int, inner: int) -> dict[str, int]:
    heads, kv_heads, head_dim = shape.heads
    return {
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": head_dim,
        "vocab_size": shape.vocab,
        "max_position_embeddings": 32_768,
    }


def _frames(shape: Shape) -> dict[str, Any]:
    """Return what the configs of both MossTTSLocal have in common."""
    ids = {"pad": 1, "audio_start": 2, "audio_end": 3, "audio_user_slot": 4, "audio_assistant_gen_slot": 5}
    return {
        "language_config": _qwen3(shape, *shape.backbone),
        "n_vq": shape.num_codebooks,
        "audio_vocab_size": 1024,
        "audio_pad_code": 1024,
        **{f"{name}_token_id": value for name, value in ids.items()},
    }


def local_config(shape: Shape) -> LocalConfig:
    """Return the config of a MossTTSLocal v1.0 of `shape`."""
    return LocalConfig.model_validate(
        {
            **_frames(shape),
            "local_hidden_size": shape.depth[1],
            "local_ffn_hidden_size": shape.depth[2],
            "local_num_layers": shape.depth[0],
            "additional_mlp_ffn_hidden_size": shape.bridge,
        }
    )


def local_v15_config(shape: Shape) -> LocalV15Config:
    """Return the config of a MossTTSLocal v1.5 of `shape`."""
    layers, hidden, inner = shape.depth
    depth = {
        "n_embd": hidden,
        "n_inner": inner,
        "n_layer": layers,
        "n_head": shape.heads[0],
        "rope_base": 1e6,
    }
    chat = {"im_start_token_id": 6, "im_end_token_id": 7}
    return LocalV15Config.model_validate({**_frames(shape), **chat, "depth": depth})


def cat_config(shape: Shape) -> CatConfig:
    """Return the config of a codec of `shape`; its encoder is one small stage."""
    version = V2 if shape.family == "local_v15" else V1
    stages: list[dict[str, Any]] = []
    width, last = shape.codec[0][1], len(shape.codec) - 1
    for number, (layers, d_model) in enumerate(shape.codec):
        out = 240 if number == last else d_model
        # What the last stages of the stereo codec attend over: about as many positions each.
        window = {"context_duration": [10, 10, 8, 4, 2, 1][number]} if version is V2 else {}
        stages.append(_stage(width, d_model, out, layers) | window)
        stages.append({"module_type": "PatchedPretransform", "patch_size": 240 if number == last else 2})
        width = out // 2
    samples = version.frame_samples * version.channels
    patches = [{"module_type": "PatchedPretransform", "patch_size": size} for size in (240, samples // 240)]
    return CatConfig.model_validate(
        {
            "sampling_rate": version.sampling_rate,
            "number_channels": version.channels,
            "downsample_rate": version.frame_samples,
            "causal_transformer_context_duration": 10,
            "encoder_kwargs": [*patches, _stage(samples, 128, shape.codec[0][1], 1)],
            "decoder_kwargs": stages,
            "quantizer_kwargs": {
                "input_dim": shape.codec[0][1],
                "rvq_dim": 512,
                "output_dim": shape.codec[0][1],
                "num_quantizers": shape.num_codebooks,
                "codebook_size": 1024,
                "codebook_dim": 8,
            },
        }
    )


def _stage(inputs: int, width: int, outputs: int, layers: int) -> dict[str, Any]:
    return {
        "module_type": "Transformer",
        "input_dimension": inputs,
        "d_model": width,
        "output_dimension": outputs,
        "num_layers": layers,
        "num_heads": width // 64,
        "dim_feedforward": 4 * width,
        "layer_scale": 0.01,
    }


def random_local(
    config: LocalConfig, device: torch.device, dtype: torch.dtype, options: EngineOptions
) -> MossTTSLocal:
    """Return a MossTTSLocal with random weights, ready to run."""
    return _random(lambda: MossTTSLocal(config, options.text_head), device, dtype, options)


def realtime_config(shape: Shape) -> RealtimeConfig:
    """Return the config of a MOSS-TTS-Realtime of `shape`."""
    return RealtimeConfig.model_validate(
        {
            "language_config": _qwen3(shape, *shape.backbone),
            "local_config": _qwen3(shape, *shape.depth),
            "rvq": shape.num_codebooks,
            "audio_vocab_size": 1027,
            "audio_pad_token": 1024,
            "text_pad": 3,
            "reference_audio_pad": 2,
        }
    )


def random_realtime(
    config: RealtimeConfig, device: torch.device, dtype: torch.dtype, options: EngineOptions
) -> MossTTSRealtime:
    """Return a MOSS-TTS-Realtime with random weights, ready to run."""
    return _random(lambda: MossTTSRealtime(config), device, dtype, options)


def delay_config(shape: Shape) -> DelayConfig:
    """Return the config of a MossTTSDelay of `shape`."""
    ids = {"im_start_token_id": 6, "im_end_token_id": 7, "audio_assistant_delay_slot_token_id": 8}
    return DelayConfig.model_validate({**_frames(shape), **ids})


def random_delay(
    config: DelayConfig, device: torch.device, dtype: torch.dtype, options: EngineOptions
) -> MossTTSDelay:
    """Return a MossTTSDelay with random weights, ready to run, whose audio never ends."""
    model = _random(lambda: MossTTSDelay(config), device, dtype, options)
    # Random weights end an audio after a row or two, and say words for ever.
    model._pair = torch.full_like(model._pair, config.audio_assistant_gen_slot_token_id)
    return model


def random_network(
    shape: Shape, device: torch.device, dtype: torch.dtype, options: EngineOptions
) -> MossTTSDelay | MossTTSLocal | MossTTSLocalV15 | MossTTSRealtime:
    """Return a network of `shape` with random weights, ready to run."""
    if shape.family == "delay":
        return random_delay(delay_config(shape), device, dtype, options)
    if shape.family == "realtime":
        return random_realtime(realtime_config(shape), device, dtype, options)
    if shape.family == "local_v15":
        return _random(lambda: MossTTSLocalV15(local_v15_config(shape)), device, dtype, options)
    return random_local(local_config(shape), device, dtype, options)


def _random(make: Callable[[], N], device: torch.device, dtype: torch.dtype, options: EngineOptions) -> N:
    with torch.device("meta"):
        model = make()
    quantize(model, device, dtype, options)
    _randomise(model, device, dtype)
    model.prepare(options.max_context)
    quantize(model, device, dtype, options)
    use(choose_ops(device, dtype), model)
    if options.pack_weights:
        pack_linears(model)
    return model.eval()


def random_cat(config: CatConfig, device: torch.device, options: EngineOptions) -> Cat:
    """Return a codec with random weights, ready to run."""
    with torch.device("meta"):
        codec = Cat(config)
    _randomise(codec, device, torch.float32)
    codec.prepare()
    use(choose_ops(device, torch.float32), codec)
    if options.pack_weights:
        pack_linears(codec)
    return codec.eval()


def _randomise(module: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    for name, parameter in list(module.named_parameters()):
        if parameter.ndim == 1:
            value = torch.ones(parameter.shape, device=device, dtype=dtype)
        else:
            value = torch.empty(parameter.shape, device=device, dtype=dtype).normal_(std=0.02)
        put(module, name, value)
