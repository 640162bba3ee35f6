"""The depth transformer: from one hidden state to the text id and the codes of one frame."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moss_stream.models.cache import KVCache
from moss_stream.models.config import LocalConfig
from moss_stream.models.layers import GatedMLP, RMSNorm, grouped_attention
from moss_stream.models.qwen3 import BackboneLayer
from moss_stream.models.sampling import Sampler

__all__ = ["DepthTransformer"]


class DepthTransformer(nn.Module):
    """Qwen3 layers without positions that run over the channels of one frame.

    Step 0 takes the backbone's hidden state and gives the text channel; step i takes the value of
    the channel before it and gives codebook i - 1. Every input passes one shared MLP, every output
    an MLP, a norm and a head of its own. The input after a code depends on that code alone, so
    `tabulate` computes it once for all codes.
    """

    def __init__(self, config: LocalConfig, text_ids: list[int] | None) -> None:
        """Build the modules.

        Args:
            config: Of the checkpoint.
            text_ids: The rows of the text head to keep, in ascending order; None keeps all.
        """
        super().__init__()
        depth, hidden = config.depth, config.language_config.hidden_size
        self.config = depth
        self.channels = 1 + config.n_vq
        self.pad_code = config.audio_pad_code
        text_size = len(text_ids) if text_ids else config.language_config.vocab_size
        sizes = [text_size] + [config.audio_vocab_size + 1] * config.n_vq
        self.in_mlp = GatedMLP(hidden, config.additional_mlp_ffn_hidden_size, depth.hidden_size)
        self.layers = nn.ModuleList(BackboneLayer(depth) for _ in range(depth.num_hidden_layers))
        self.norm = RMSNorm(depth.hidden_size, depth.rms_norm_eps)
        self.out_mlps = nn.ModuleList(
            GatedMLP(depth.hidden_size, config.additional_mlp_ffn_hidden_size, hidden) for _ in sizes
        )
        self.out_norms = nn.ModuleList(RMSNorm(hidden) for _ in sizes)
        self.heads = nn.ModuleList(nn.Linear(hidden, size, bias=False) for size in sizes)
        self._table = torch.empty(0)

    def tabulate(self, audio_embeddings: Tensor) -> None:
        """Compute the step input of every code from `audio_embeddings` [Nq, V + 1, hidden]."""
        # One codebook at a time: the MLP's inner activations would be several times the table.
        self._table = torch.stack([self.in_mlp(codebook) for codebook in audio_embeddings])

    def new_cache(self, batch: int) -> KVCache:
        """Return a cache for the channels of one frame."""
        c, weight = self.config, self.norm.weight
        shape = (c.num_hidden_layers, batch, c.num_key_value_heads, self.channels, c.head_dim)
        return KVCache.zeros(*shape, device=weight.device, dtype=weight.dtype)

    def step(self, x: Tensor, index: int, cache: KVCache) -> Tensor:
        """Run step `index` on its input [B, depth hidden]; return the logits of channel `index`, [B, V]."""
        x = x[:, None]
        for number, module in enumerate(self.layers):
            layer = cast(BackboneLayer, module)
            q, k, v = layer.attention.project(layer.input_norm(x))
            cache.keys[number, :, :, index].copy_(k[:, 0])
            cache.values[number, :, :, index].copy_(v[:, 0])
            keys, values = cache.read(number, index + 1)
            x = x + layer.attention.o_proj(grouped_attention(q, keys, values, None))
            x = x + layer.mlp(layer.post_norm(x))
        out = self.out_norms[index](self.out_mlps[index](self.norm(x[:, 0])))
        logits: Tensor = self.heads[index](out)
        if index > 0:
            logits[:, self.pad_code] = -torch.inf
        return logits

    def code_input(self, codebook: int, code: Tensor) -> Tensor:
        """Return the step input [B, depth hidden] that follows `code` [B] of `codebook`."""
        return F.embedding(code, self._table[codebook])

    def codes(self, text_embedding: Tensor, n_vq: int, cache: KVCache, sampler: Sampler, out: Tensor) -> None:
        """Sample the codes of one frame after its text channel was chosen (step 0 is in `cache`).

        Args:
            text_embedding: Of the chosen text id, [B, hidden].
            n_vq: How many codebooks to generate.
            cache: Of this frame.
            sampler: Chooses and remembers.
            out: [B, Nq] int64; the first `n_vq` columns are written.
        """
        x = self.in_mlp(text_embedding)
        for codebook in range(n_vq):
            if codebook > 0:
                x = self.code_input(codebook - 1, out[:, codebook - 1])
            out[:, codebook] = sampler.code(codebook, self.step(x, 1 + codebook, cache))
