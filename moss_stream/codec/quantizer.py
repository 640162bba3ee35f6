"""The residual lookup-free quantizer of the Cat codec (RLFQ), folded into tables."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moss_stream.codec.config import QuantizerConfig

__all__ = ["ResidualQuantizer"]


class ResidualQuantizer(nn.Module):
    """Codes to vectors and back.

    Every level projects the residual to a few dimensions, takes the nearest codebook row by angle and
    projects that row back. Projections are folded from their weight-normalised form when loaded, and
    what a code adds to the sum is kept as a table, so decoding is one gather.
    """

    def __init__(self, config: QuantizerConfig) -> None:
        super().__init__()
        num_codebooks, size, dim, width = (
            config.num_quantizers,
            config.codebook_size,
            config.codebook_dim,
            config.rvq_dim,
        )
        self.num_codebooks = num_codebooks
        self.codebook = nn.Parameter(torch.empty(num_codebooks, size, dim))
        self.in_weight = nn.Parameter(torch.empty(num_codebooks, dim, width))
        self.in_bias = nn.Parameter(torch.empty(num_codebooks, dim))
        self.out_weight = nn.Parameter(torch.empty(num_codebooks, width, dim))
        self.out_bias = nn.Parameter(torch.empty(num_codebooks, width))
        self.input_proj = nn.Linear(config.input_dim, width)
        self.output_proj = nn.Linear(width, config.output_dim)

    @torch.inference_mode()
    def prepare(self) -> None:
        """Compute the tables that follow from the weights; needed once before use."""
        self.contribution = torch.baddbmm(self.out_bias[:, None], self.codebook, self.out_weight.mT)
        self._directions = F.normalize(self.codebook, dim=-1)
        self._rows = torch.arange(self.num_codebooks, device=self.codebook.device) * self.codebook.shape[1]

    def decode(self, codes: Tensor, used: Tensor | None = None) -> Tensor:
        """Sum what each code of [B, T, K] adds and project it: [B, T, output_dim].

        Args:
            codes: Of the first K codebooks.
            used: [B, K] bool: the codebooks that count; None for all.
        """
        flat = codes + self._rows[: codes.shape[2]]
        added = F.embedding(flat, self.contribution.flatten(0, 1))
        if used is not None:
            added = added * used[:, None, :, None]
        projected: Tensor = self.output_proj(added.sum(dim=2))
        return projected

    def encode(self, x: Tensor, num_codebooks: int) -> Tensor:
        """Quantize encoder outputs [B, T, input_dim] into codes [B, T, num_codebooks]."""
        residual = self.input_proj(x)
        codes = []
        for level in range(num_codebooks):
            latent = F.linear(residual, self.in_weight[level], self.in_bias[level])
            directions = self._directions[level]
            # Squared distance between unit vectors, summed up as the reference does, so that near
            # ties fall the same way.
            unit = F.normalize(latent, dim=-1)
            distance = unit.pow(2).sum(-1, keepdim=True) - 2 * unit @ directions.T + directions.pow(2).sum(-1)
            code = distance.argmin(dim=-1)
            residual = residual - F.embedding(code, self.contribution[level])
            codes.append(code)
        return torch.stack(codes, dim=-1)
