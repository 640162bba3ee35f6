"""The depth transformer: from one hidden state to the text id and the codes of one frame."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moss_stream.families.local.config import LocalConfig
from moss_stream.nn.cache import KVCache
from moss_stream.nn.layers import GatedMLP, RMSNorm, Rotation
from moss_stream.nn.ops import Ops, Place, TorchOps
from moss_stream.nn.qwen3 import BackboneLayer
from moss_stream.nn.sampling import Sampler

__all__ = ["LocalDepth"]


class LocalDepth(nn.Module):
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
        self.ops: Ops = TorchOps()
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
        self.code_inputs = torch.empty(0)
        self._steps = torch.empty(0)

    def tabulate(self, audio_embeddings: Tensor) -> None:
        """Compute the step input of every code from `audio_embeddings` [Nq, V + 1, hidden]."""
        # One codebook at a time: the MLP's inner activations would be several times the table.
        self.code_inputs = torch.stack([self.in_mlp(codebook) for codebook in audio_embeddings])
        self._steps = torch.arange(self.channels, device=audio_embeddings.device)

    def new_cache(self, batch: int) -> KVCache:
        """Return a cache for the channels of one frame."""
        c, weight = self.config, self.norm.weight
        shape = (c.num_hidden_layers, batch, c.num_key_value_heads, self.channels, c.head_dim)
        return KVCache.zeros(*shape, device=weight.device, dtype=weight.dtype)

    def step(self, x: Tensor, index: int, cache: KVCache) -> Tensor:
        """Run step `index` on its input [B, depth hidden]; return the logits of channel `index`, [B, V]."""
        steps = self._steps[index : index + 1].expand(len(x), 1)
        place = Place(steps, index + 1, None, Rotation(), index)
        x = x[:, None]
        for number, layer in enumerate(self.layers):
            x = cast(BackboneLayer, layer).run(self.ops, x, cache, number, place)
        mlp = cast(GatedMLP, self.out_mlps[index])
        out = self.ops.project(self.ops.project(x, mlp.gate_up_proj, self.norm, "gated"), mlp.down_proj)
        return self.ops.project(out, self.heads[index], self.out_norms[index])[:, 0]

    def code_input(self, codebook: int, code: Tensor) -> Tensor:
        """Return the step input [B, depth hidden] that follows `code` [B] of `codebook`."""
        return F.embedding(code, self.code_inputs[codebook])

    def codes(self, text_embedding: Tensor, n_vq: int, cache: KVCache, sampler: Sampler) -> None:
        """Sample the codes of one frame after its text channel was sampled (step 0 is in `cache`).

        Args:
            text_embedding: Of the sampled text id, [B, hidden].
            n_vq: How many codebooks to generate.
            cache: Of this frame.
            sampler: Chooses and remembers.
        """
        x = self.in_mlp(text_embedding)
        for codebook in range(n_vq):
            code = sampler.code(codebook, self.step(x, 1 + codebook, cache))
            if codebook + 1 < n_vq:
                x = self.code_input(codebook, code)
