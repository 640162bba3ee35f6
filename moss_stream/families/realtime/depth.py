"""The depth transformer of MOSS-TTS-Realtime: from one hidden state to the codes of one frame."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moss_stream.families.realtime.config import RealtimeConfig
from moss_stream.nn.cache import KVCache
from moss_stream.nn.layers import RMSNorm, Rotation, rotary_table
from moss_stream.nn.ops import Ops, Place, TorchOps
from moss_stream.nn.qwen3 import BackboneLayer
from moss_stream.nn.sampling import Sampler

__all__ = ["RealtimeDepth"]


class RealtimeDepth(nn.Module):
    """Qwen3 layers, with rotary positions, that run over the codebooks of one frame.

    Step 0 takes the backbone's hidden state, step i the embedding of the code of codebook i - 1; step i
    gives codebook i, through a head of its own.
    """

    def __init__(self, config: RealtimeConfig) -> None:
        super().__init__()
        local, count, size = config.local_config, config.rvq, config.audio_vocab_size
        self.config = local
        self.num_codebooks = count
        self.ops: Ops = TorchOps()
        self.code_embedding = nn.Parameter(torch.empty(count - 1, size, local.hidden_size))
        self.layers = nn.ModuleList(BackboneLayer(local) for _ in range(local.num_hidden_layers))
        self.norm = RMSNorm(local.hidden_size, local.rms_norm_eps)
        self.heads = nn.ModuleList(nn.Linear(local.hidden_size, size, bias=False) for _ in range(count))
        self._cos = self._sin = self._steps = torch.empty(0)

    def prepare(self) -> None:
        """Make the rotary table; needed once before use."""
        weight = self.norm.weight
        cos, sin = rotary_table(self.num_codebooks, self.config.head_dim, self.config.rope_theta)
        self._cos, self._sin = cos.to(weight), sin.to(weight)
        self._steps = torch.arange(self.num_codebooks, device=weight.device)

    def new_cache(self, batch: int) -> KVCache:
        """Return a cache for the codebooks of one frame."""
        c, weight = self.config, self.norm.weight
        shape = (c.num_hidden_layers, batch, c.num_key_value_heads, self.num_codebooks, c.head_dim)
        return KVCache.zeros(*shape, device=weight.device, dtype=weight.dtype)

    def step(self, x: Tensor, index: int, cache: KVCache) -> Tensor:
        """Run step `index` on its input [B, hidden]; return the logits of codebook `index`, [B, V]."""
        batch, dim = len(x), self.config.head_dim
        cos, sin = (table[index].expand(batch, 1, 1, dim) for table in (self._cos, self._sin))
        steps = self._steps[index : index + 1].expand(batch, 1)
        place = Place(steps, index + 1, None, Rotation("half", cos, sin), index)
        x = x[:, None]
        for number, layer in enumerate(self.layers):
            x = cast(BackboneLayer, layer).run(self.ops, x, cache, number, place)
        return self.ops.project(x, self.heads[index], self.norm)[:, 0]

    def codes(self, hidden: Tensor, cache: KVCache, sampler: Sampler) -> None:
        """Sample all codes of the frame that follows a hidden state [B, hidden]."""
        x = hidden
        for codebook in range(self.num_codebooks):
            code = sampler.code(codebook, self.step(x, codebook, cache))
            if codebook + 1 < self.num_codebooks:
                x = F.embedding(code, self.code_embedding[codebook])
