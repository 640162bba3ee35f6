"""The Cat codec for training: the modules of the on-disk format, with gradients.

The inference modules in `moss_stream.codec` fold weights and keep caches; these do neither. Parameter
names are those of a MOSS-Audio-Tokenizer checkpoint, so exporting is saving. Crops are shorter than the
attention window, so causal attention is enough.
"""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moss_stream.codec.config import CatConfig, CatStage, QuantizerConfig
from moss_stream.codec.layers import Patch
from moss_stream.nn.layers import WideRotary
from training.attention import causal_attention
from training.settings import PATCH, CodecSettings

__all__ = ["Quantized", "TrainableCat", "cat_config", "encode"]

WINDOW_S = 10
LAYER_SCALE = 0.1
FIRST_AMPLITUDE = 0.02
"""Of the untrained codec, relative to samples of 1; so that training does not begin with turning it down."""


def cat_config(s: CodecSettings) -> dict[str, Any]:
    """Return the config.json of a codec of these sizes."""
    encoder: list[dict[str, Any]] = []
    inputs = PATCH
    for i in range(4):
        encoder += [_patch(PATCH if i == 0 else 2), _stage(s, i, inputs, s.widths[i])]
        inputs = 2 * s.widths[i]
    decoder: list[dict[str, Any]] = []
    inputs = s.widths[3]
    for i in (3, 2, 1, 0):
        outputs = PATCH if i == 0 else s.widths[i]
        decoder += [_stage(s, i, inputs, outputs), _patch(PATCH if i == 0 else 2)]
        inputs = outputs // 2
    return {
        "architectures": ["MossAudioTokenizerModel"],
        "model_type": "moss-audio-tokenizer",
        "sampling_rate": 24_000,
        "downsample_rate": 1920,
        "number_channels": 1,
        "causal_transformer_context_duration": WINDOW_S,
        "code_dim": s.widths[3],
        "encoder_kwargs": encoder,
        "decoder_kwargs": decoder,
        "quantizer_type": "rlfq",
        "quantizer_kwargs": {
            "quantizer_type": "rlfq",
            "input_dim": s.widths[3],
            "rvq_dim": s.rvq_dim,
            "output_dim": s.widths[3],
            "num_quantizers": s.num_codebooks,
            "codebook_size": s.codebook_size,
            "codebook_dim": s.codebook_dim,
        },
    }


def _patch(size: int) -> dict[str, Any]:
    return {"module_type": "PatchedPretransform", "patch_size": size}


def _stage(s: CodecSettings, i: int, inputs: int, outputs: int) -> dict[str, Any]:
    return {
        "module_type": "Transformer",
        "input_dimension": inputs,
        "output_dimension": outputs,
        "d_model": s.widths[i],
        "num_heads": s.widths[i] // 32,
        "num_layers": s.layers[i],
        "dim_feedforward": 4 * s.widths[i],
        "causal": True,
        "conv_layout": True,
        "gating": "none",
        "layer_scale": LAYER_SCALE,
        "max_period": 10_000,
        "norm": "layer_norm",
        "positional_embedding": "rope",
    }


class _Attention(nn.Module):
    def __init__(self, stage: CatStage) -> None:
        super().__init__()
        d = stage.d_model
        self.heads = stage.num_heads
        self.in_projs = nn.ModuleList([nn.Linear(d, 3 * d, bias=False)])
        self.out_projs = nn.ModuleList([nn.Linear(d, d, bias=False)])

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        b, t, d = x.shape
        q, k, v = self.in_projs[0](x).view(b, t, 3, self.heads, d // self.heads).unbind(2)
        q, k = WideRotary.rotate(q, cos, sin), WideRotary.rotate(k, cos, sin)
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        out = causal_attention(q, k, v)
        projected: Tensor = self.out_projs[0](out.transpose(1, 2).reshape(b, t, d))
        return projected


class _Scale(nn.Module):
    def __init__(self, dim: int, value: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((dim,), value))


class _Layer(nn.Module):
    def __init__(self, stage: CatStage) -> None:
        super().__init__()
        d = stage.d_model
        self.norm1, self.norm2 = nn.LayerNorm(d, eps=1e-5), nn.LayerNorm(d, eps=1e-5)
        self.self_attn = _Attention(stage)
        self.linear1 = nn.Linear(d, stage.dim_feedforward, bias=False)
        self.linear2 = nn.Linear(stage.dim_feedforward, d, bias=False)
        self.layer_scale_1, self.layer_scale_2 = _Scale(d, LAYER_SCALE), _Scale(d, LAYER_SCALE)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.layer_scale_1.scale * self.self_attn(self.norm1(x), cos, sin)
        out: Tensor = x + self.layer_scale_2.scale * self.linear2(F.gelu(self.linear1(self.norm2(x))))
        return out


class _Transformer(nn.Module):
    def __init__(self, stage: CatStage) -> None:
        super().__init__()
        widths = stage.input_dimension, stage.d_model, stage.output_dimension
        if widths[0] != widths[1]:
            self.input_proj = nn.Linear(widths[0], widths[1], bias=False)
        if widths[1] != widths[2]:
            self.output_proj = nn.Linear(widths[1], widths[2], bias=False)
        self.transformer = nn.Module()
        self.transformer.layers = nn.ModuleList(_Layer(stage) for _ in range(stage.num_layers))
        self._rotary = WideRotary(stage.d_model // stage.num_heads, stage.max_period, torch.device("cpu"))

    def forward(self, x: Tensor) -> Tensor:
        positions = torch.arange(x.shape[1])[None]
        cos, sin = (table.to(x.device) for table in self._rotary.tables(positions))
        if hasattr(self, "input_proj"):
            x = self.input_proj(x)
        for layer in cast(nn.ModuleList, self.transformer.layers):
            x = layer(x, cos, sin)
        return self.output_proj(x) if hasattr(self, "output_proj") else x


class _Level(nn.Module):
    """One level of the quantizer: nearest codebook row by angle, straight-through gradients."""

    def __init__(self, config: QuantizerConfig) -> None:
        super().__init__()
        norm = nn.utils.parametrizations.weight_norm
        self.in_proj = norm(nn.Conv1d(config.rvq_dim, config.codebook_dim, 1))
        self.out_proj = norm(nn.Conv1d(config.codebook_dim, config.rvq_dim, 1))
        self.codebook = nn.Embedding(config.codebook_size, config.codebook_dim)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return what the codes add [B, D, T], the codes, the latents [B, T, dim] and the losses [B, T]."""
        latent = self.in_proj(x).transpose(1, 2)
        with torch.no_grad():
            similarity = F.normalize(latent, dim=-1) @ F.normalize(self.codebook.weight, dim=-1).T
            codes = similarity.argmax(dim=-1)
        chosen = self.codebook(codes)
        commitment = (latent - chosen.detach()).square().mean(-1)
        loss = 0.25 * commitment + (latent.detach() - chosen).square().mean(-1)
        through = latent + (chosen - latent).detach()
        return self.out_proj(through.transpose(1, 2)), codes, latent, loss


class Quantized:
    """What the quantizer made of a batch."""

    def __init__(self, vectors: Tensor, codes: Tensor, latents: list[Tensor], loss: Tensor) -> None:
        self.vectors, self.codes, self.latents, self.loss = vectors, codes, latents, loss


class _Quantizer(nn.Module):
    def __init__(self, config: QuantizerConfig) -> None:
        super().__init__()
        norm = nn.utils.parametrizations.weight_norm
        self.input_proj = norm(nn.Conv1d(config.input_dim, config.rvq_dim, 1))
        self.output_proj = norm(nn.Conv1d(config.rvq_dim, config.output_dim, 1))
        self.quantizers = nn.ModuleList(_Level(config) for _ in range(config.num_quantizers))

    def forward(self, x: Tensor, depth: Tensor) -> Quantized:
        """Quantize [B, T, D] with the first `depth` [B] levels of each sequence; with none: not at all."""
        whole = residual = self.input_proj(x.transpose(1, 2))
        total = torch.zeros_like(residual)
        codes, latents, losses = [], [], []
        for number, level in enumerate(self.quantizers):
            added, code, latent, loss = level(residual)
            used = (number < depth).to(added.dtype)[:, None, None]
            total, residual = total + used * added, residual - used * added
            codes.append(code)
            latents.append(latent)
            losses.append((loss * used[:, :, 0]).mean())
        total = torch.where((depth > 0)[:, None, None], total, whole)
        vectors = self.output_proj(total).transpose(1, 2)
        return Quantized(vectors, torch.stack(codes, dim=-1), latents, torch.stack(losses).sum())


class TrainableCat(nn.Module):
    """Encoder, quantizer and decoder with gradients."""

    def __init__(self, config: CatConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = nn.ModuleList(_module(stage) for stage in config.encoder_kwargs)
        self.quantizer = _Quantizer(config.quantizer_kwargs)
        self.decoder = nn.ModuleList(_module(stage) for stage in config.decoder_kwargs)
        with torch.no_grad():
            self.get_parameter(f"decoder.{len(self.decoder) - 2}.output_proj.weight").mul_(FIRST_AMPLITUDE)

    def forward(self, samples: Tensor, depth: Tensor) -> tuple[Tensor, Quantized]:
        """Encode, quantize and decode [B, T * 1920]: the reconstruction and the quantizer's state."""
        x = encode(self.encoder, samples)
        with torch.autocast(x.device.type, enabled=False):
            quantized: Quantized = self.quantizer(x, depth)
        x = quantized.vectors
        for module in self.decoder:
            x = module.unfold(x) if isinstance(module, Patch) else module(x)
        return x[:, :, 0].float(), quantized


def encode(encoder: nn.ModuleList, samples: Tensor) -> Tensor:
    """Return what an encoder makes of [B, T * 1920] samples before quantization: [B, T, D]."""
    x = samples[:, :, None]
    for module in encoder:
        x = module.fold(x) if isinstance(module, Patch) else module(x)
    return x.float()


def _module(stage: CatStage) -> nn.Module:
    return Patch(stage.patch_size) if stage.module_type == "PatchedPretransform" else _Transformer(stage)
