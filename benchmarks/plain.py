"""The loop to compare with: no depth cache, no table, nothing packed."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from moss_stream.config import SamplingOptions
from moss_stream.families.local.network import MossTTSLocal
from moss_stream.nn.layers import grouped_attention
from moss_stream.nn.qwen3 import BackboneLayer, causal_mask
from moss_stream.nn.sampling import Sampler
from moss_stream.text.message import Rows


class PlainLoop:
    """Generates frames like the reference implementation.

    The backbone has a KV cache; the depth transformer runs again over the frame so far for every
    codebook, and so do the output MLPs.

    Args:
        model: With the full text head and unpacked weights.
    """

    def __init__(self, model: MossTTSLocal) -> None:
        self.model = model
        c = model.config
        device = model.text_embedding.device
        self.cache = model.backbone.new_cache(1, 4096)
        self.sampler = Sampler(1, c.n_vq, c.audio_vocab_size + 1, device, c.audio_pad_code)
        self.sampler.configure(0, SamplingOptions().channels(c.n_vq), seed=0)
        self.row = torch.zeros(1, 1 + c.n_vq, dtype=torch.int64, device=device)

    def prefill(self, rows: Rows) -> None:
        """Fill the backbone's cache."""
        device_rows = torch.from_numpy(rows).to(self.row.device)[None]
        self.length = len(rows)
        positions = torch.arange(self.length, device=self.row.device)[None]
        mask = causal_mask(positions, self.length)
        hidden = self.model.hidden(
            device_rows, self.model.config.n_vq, positions, self.cache, self.length, mask
        )
        self.hidden = hidden[:, -1:]
        self.sampler.remember(0, torch.from_numpy(rows[:, 1:]))

    def step(self, n_vq: int) -> Tensor:
        """Make one row, then run the backbone on it."""
        model = self.model
        self._frame(self.hidden, n_vq)
        position = torch.tensor([[self.length]], device=self.row.device)
        self.length += 1
        self.hidden = model.hidden(self.row[:, None], n_vq, position, self.cache, self.length, None)
        return self.row

    def _frame(self, hidden: Tensor, n_vq: int) -> None:
        model = self.model
        self.sampler.next_frame(self.sampler.frame >= 0)
        x = model.depth.in_mlp(hidden)
        self.row[:, 0] = self.sampler.text(self._depth(x, 0))
        embedding = F.embedding(self.row[:, 0], model.text_embedding)
        for codebook in range(n_vq):
            x = torch.cat([x, model.depth.in_mlp(embedding)[:, None]], dim=1)
            code = self.sampler.code(codebook, self._depth(x, 1 + codebook))
            self.row[:, 1 + codebook] = code
            embedding = F.embedding(code, model.audio_embedding[codebook])

    def _depth(self, x: Tensor, index: int) -> Tensor:
        depth = self.model.depth
        steps = torch.arange(x.shape[1], device=x.device)[None]
        mask = causal_mask(steps, x.shape[1])
        for module in depth.layers:
            layer = cast(BackboneLayer, module)
            q, k, v = layer.attention.heads.split(layer.attention.qkv_proj(layer.input_norm(x)))
            x = x + layer.attention.o_proj(grouped_attention(q, k.transpose(1, 2), v.transpose(1, 2), mask))
            x = x + layer.mlp(layer.post_norm(x))
        out = depth.out_norms[index](depth.out_mlps[index](depth.norm(x)))
        logits: Tensor = depth.heads[index](out[:, -1])
        return logits
