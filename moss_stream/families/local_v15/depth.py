"""The depth transformer of MossTTSLocal v1.5: from one hidden state to the codes of one frame."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moss_stream.families.local_v15.config import LocalV15Config
from moss_stream.nn.cache import KVCache
from moss_stream.nn.layers import Heads, Rotation, rotary_table
from moss_stream.nn.ops import Ops, Place, TorchOps
from moss_stream.nn.pre_norm import PreNormLayer
from moss_stream.nn.sampling import Sampler

__all__ = ["LocalV15Depth"]


class LocalV15Depth(nn.Module):
    """GPT-2 layers, with rotary positions, that run over the codebooks of one frame.

    Step 0 takes the backbone's hidden state. What it gives is read twice: by the text head, of two rows, that
    says whether the audio goes on, and by the head of the first codebook. Step i takes the embedding of the
    code of codebook i - 1 and gives codebook i. The heads of the codebooks are their embeddings.
    """

    def __init__(self, config: LocalV15Config) -> None:
        super().__init__()
        self.config = config.depth
        self.num_codebooks = config.n_vq
        self.ops: Ops = TorchOps()
        c = self.config
        self._heads = Heads(c.n_head, c.n_head, c.head_dim)
        self.layers = nn.ModuleList(
            PreNormLayer(c.n_embd, c.n_inner, "silu", c.layer_norm_epsilon, has_bias=True, is_scaled=False)
            for _ in range(c.n_layer)
        )
        self.norm = nn.LayerNorm(c.n_embd, eps=c.layer_norm_epsilon)
        self.text_head = nn.Linear(c.n_embd, 2, bias=False)
        self.heads = nn.ModuleList()
        self.code_embedding = self._cos = self._sin = self._steps = torch.empty(0)

    def prepare(self, audio_embedding: Tensor) -> None:
        """Tie the heads to `audio_embedding` [Nq, V, hidden], and make the rotary table; needed once."""
        self.code_embedding = audio_embedding
        self.heads = nn.ModuleList(_tied(codebook) for codebook in audio_embedding)
        dim, device = self.config.head_dim, audio_embedding.device
        tables = rotary_table(self.num_codebooks, dim, self.config.rope_base)
        # Neighbours are a pair here, so each angle is needed once.
        self._cos, self._sin = (table[:, : dim // 2].to(device) for table in tables)
        self._steps = torch.arange(self.num_codebooks, device=device)

    def new_cache(self, batch: int) -> KVCache:
        """Return a cache for the codebooks of one frame."""
        c, weight = self.config, self.norm.weight
        shape = (c.n_layer, batch, c.n_head, self.num_codebooks, c.head_dim)
        return KVCache.zeros(*shape, device=weight.device, dtype=weight.dtype)

    def step(self, x: Tensor, index: int, cache: KVCache) -> Tensor:
        """Run step `index` on its input [B, hidden]; return what the heads read, [B, 1, hidden]."""
        batch = len(x)
        cos, sin = (table[index].expand(batch, 1, 1, -1) for table in (self._cos, self._sin))
        steps = self._steps[index : index + 1].expand(batch, 1)
        place = Place(steps, index + 1, None, Rotation("interleaved", cos, sin), index)
        x = x[:, None]
        for number, layer in enumerate(self.layers):
            x = cast(PreNormLayer, layer).run(self.ops, x, self._heads, cache, number, place)
        return x

    def logits(self, x: Tensor, head: nn.Module) -> Tensor:
        """Return the logits [B, V] of a head for what a step gave."""
        return self.ops.project(x, head, self.norm)[:, 0]

    def row(self, hidden: Tensor, cache: KVCache, sampler: Sampler) -> Tensor:
        """Sample the row that follows a hidden state [B, hidden]; return which row of the text head, [B]."""
        x = self.step(hidden, 0, cache)
        choice = sampler.text(self.logits(x, self.text_head))
        for codebook, head in enumerate(self.heads):
            code = sampler.code(codebook, self.logits(x, head))
            if codebook + 1 < self.num_codebooks:
                x = self.step(F.embedding(code, self.code_embedding[codebook]), codebook + 1, cache)
        return choice


def _tied(codebook: Tensor) -> nn.Linear:
    """Return a head that is an embedding [V, hidden]."""
    size, width = codebook.shape
    head = nn.Linear(width, size, bias=False, device="meta")
    head.weight = nn.Parameter(codebook, requires_grad=False)
    return head
