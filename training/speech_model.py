"""MossTTSLocal for training: the modules of the on-disk format, with gradients and without caches.

Parameter names are those of a checkpoint, so exporting is saving; one linear layer more, `phone_head`, is
for training alone. What makes the training short enough for a CPU: some attention heads are told which
character is being spoken, the backbone is told which phone comes next, and the depth transformer learns all
codebooks of a part of the frames only (the backbone learns from every frame). Now and then a frame of the
past is replaced by another one: a model that has heard only perfect speech does not listen to the text.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moss_stream.families.local.config import LocalConfig
from moss_stream.nn.config import TransformerConfig
from moss_stream.nn.layers import rotary_table, rotate_half
from training.attention import causal_attention
from training.examples import NO_PHONE, PHONES_OF_FRAME, Batch
from training.flite import PHONES

__all__ = ["TrainableLocal", "guide_loss"]

CODEBOOK_WEIGHTS = (3.0, 3.0, 3.0, 2.0, 2.0, 2.0)
"""Loss weights of the first codebooks; the others weigh 1."""
IGNORED = -100
GUIDED_LAYERS = (1, 2, 3)
"""Layers of the backbone whose first head learns to look at the character that is spoken."""
GUIDE_WEIGHT = 0.2
GUIDE_SPREAD = 1.2
"""Of the guided attention around that character, in characters."""
PHONE_WEIGHT = 0.5
MAX_REPLACED = 0.2
"""Up to this share of an example's frames is replaced where the backbone reads them."""
WHOLE_FRAMES = 4
"""One frame in so many is learned in all codebooks, the others in the first one."""


class _Norm(nn.Module):
    """RMSNorm in float32, whatever the transformers compute in."""

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x.float(), self.weight.shape, self.weight, self.eps)


class _MLP(nn.Module):
    def __init__(self, inputs: int, inner: int, outputs: int) -> None:
        super().__init__()
        self.gate_proj, self.up_proj = (nn.Linear(inputs, inner, bias=False) for _ in range(2))
        self.down_proj = nn.Linear(inner, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
        return out


class _Attention(nn.Module):
    def __init__(self, c: TransformerConfig) -> None:
        super().__init__()
        self.head_dim = c.head_dim
        self.q_proj = nn.Linear(c.hidden_size, c.num_attention_heads * c.head_dim, bias=False)
        self.k_proj = nn.Linear(c.hidden_size, c.num_key_value_heads * c.head_dim, bias=False)
        self.v_proj = nn.Linear(c.hidden_size, c.num_key_value_heads * c.head_dim, bias=False)
        self.o_proj = nn.Linear(c.num_attention_heads * c.head_dim, c.hidden_size, bias=False)
        self.q_norm, self.k_norm = (_Norm(c.head_dim, eps=c.rms_norm_eps) for _ in range(2))

    def forward(self, x: Tensor, rotary: tuple[Tensor, Tensor] | None) -> Tensor:
        q = self.q_norm(self.q_proj(x).unflatten(-1, (-1, self.head_dim)))
        k = self.k_norm(self.k_proj(x).unflatten(-1, (-1, self.head_dim)))
        v = self.v_proj(x).unflatten(-1, (-1, self.head_dim))
        if rotary is not None:
            q, k = rotate_half(q, *rotary), rotate_half(k, *rotary)
        q, k, v = (y.to(v.dtype).transpose(1, 2) for y in (q, k, v))
        groups = q.shape[1] // k.shape[1]
        out = causal_attention(q, k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1))
        projected: Tensor = self.o_proj(out.transpose(1, 2).flatten(2))
        return projected

    def scores(self, x: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
        """Return the scores of the first head, [B, T, T], of every row for every row."""
        d = self.head_dim
        q = self.q_norm(F.linear(x, self.q_proj.weight[:d])[:, :, None])
        k = self.k_norm(F.linear(x, self.k_proj.weight[:d])[:, :, None])
        q, k = rotate_half(q, *rotary)[:, :, 0], rotate_half(k, *rotary)[:, :, 0]
        scores: Tensor = (q @ k.mT) / d**0.5
        return scores


class _Layer(nn.Module):
    def __init__(self, c: TransformerConfig) -> None:
        super().__init__()
        self.input_layernorm = _Norm(c.hidden_size, eps=c.rms_norm_eps)
        self.self_attn = _Attention(c)
        self.post_attention_layernorm = _Norm(c.hidden_size, eps=c.rms_norm_eps)
        self.mlp = _MLP(c.hidden_size, c.intermediate_size, c.hidden_size)

    def forward(self, x: Tensor, rotary: tuple[Tensor, Tensor] | None) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), rotary)
        out: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return out


class _Stack(nn.Module):
    def __init__(self, c: TransformerConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_Layer(c) for _ in range(c.num_hidden_layers))
        self.norm = _Norm(c.hidden_size, eps=c.rms_norm_eps)

    def forward(self, x: Tensor, rotary: tuple[Tensor, Tensor] | None) -> Tensor:
        for layer in self.layers:
            x = layer(x, rotary)
        out: Tensor = self.norm(x)
        return out


class TrainableLocal(nn.Module):
    """Backbone, depth transformer and heads with gradients."""

    def __init__(self, config: LocalConfig) -> None:
        super().__init__()
        self.config = config
        language, depth, inner = config.language_config, config.depth, config.additional_mlp_ffn_hidden_size
        sizes = [language.vocab_size] + [config.audio_vocab_size + 1] * config.n_vq
        self.model = nn.Module()
        self.model.embedding_list = nn.ModuleList(nn.Embedding(size, language.hidden_size) for size in sizes)
        self.model.language_model = _Stack(language)
        self.local_transformer = _Stack(depth)
        self.speech_embedding_to_local_mlp = _MLP(language.hidden_size, inner, depth.hidden_size)
        self.local_to_speech_embedding_mlps = nn.ModuleList(
            _MLP(depth.hidden_size, inner, language.hidden_size) for _ in sizes
        )
        self.layer_norm_before_lm_heads = nn.ModuleList(_Norm(language.hidden_size, eps=1e-6) for _ in sizes)
        self.lm_heads = nn.ModuleList(nn.Linear(language.hidden_size, size, bias=False) for size in sizes)
        self.phone_head = nn.Linear(language.hidden_size, PHONES_OF_FRAME * len(PHONES))
        cos, sin = rotary_table(language.max_position_embeddings, language.head_dim, language.rope_theta)
        self._rotary = cos[:, None], sin[:, None]
        self.apply(_initialise)

    def loss(self, batch: Batch, n_vq: int) -> tuple[Tensor, dict[str, float]]:
        """Return the weighted loss with n_vq codebooks, and figures to show.

        The codes of a row that ends the audio are not audio: only its text id is learned.
        """
        following = batch.rows.roll(-1, dims=1)[batch.wanted]
        following[following[:, 0] == self.config.audio_end_token_id, 1:] = IGNORED
        states, guide = self.backbone(replace(batch, rows=self._misheard(batch.rows)), n_vq)
        guesses = self.phone_head(states).float().view(-1, len(PHONES))
        phones = F.cross_entropy(guesses, batch.phones.flatten(), ignore_index=NO_PHONE)
        states = states[batch.wanted]
        some = torch.rand(len(states), device=states.device) < 1 / WHOLE_FRAMES
        whole = self._channel_losses(states[some], following[some], n_vq)
        first = self._channel_losses(states[~some], following[~some], 1)
        share = some.float().mean()
        heads = [share * a + (1 - share) * b for a, b in zip(whole, first, strict=False)]
        losses = [*heads, *whole[2:]]
        weights = [1.0, *CODEBOOK_WEIGHTS, *[1.0] * n_vq][: 1 + n_vq]
        total = torch.stack([w * loss for w, loss in zip(weights, losses, strict=True)]).sum() / sum(weights)
        total = total + GUIDE_WEIGHT * guide + PHONE_WEIGHT * phones
        shown = {"text": losses[0], "first": losses[1], "last": losses[-1], "phones": phones, "guide": guide}
        return total, {name: float(value.detach()) for name, value in shown.items()}

    def _misheard(self, rows: Tensor) -> Tensor:
        """Return rows [B, T, 1 + Nq] with some of the spoken frames replaced by others of the batch."""
        spoken = rows[..., 0] == self.config.audio_assistant_gen_slot_token_id
        rate = MAX_REPLACED * torch.rand(len(rows), 1, device=rows.device)
        chosen = spoken & (torch.rand(spoken.shape, device=rows.device) < rate)
        frames = rows[spoken]
        others = torch.randint(max(len(frames), 1), (len(frames),), device=rows.device)
        shuffled = rows.clone()
        shuffled[spoken] = frames[others]
        return torch.where(chosen[..., None], shuffled, rows)

    def _channel_losses(self, states: Tensor, following: Tensor, n_vq: int) -> list[Tensor]:
        """Return the losses of the first 1 + n_vq channels of the rows [N, 1 + Nq] after `states`."""
        logits = self.logits(states, following.clamp_min(0), n_vq)
        targets = following[:, : 1 + n_vq].unbind(1)
        pairs = zip(logits, targets, strict=True)
        # A sum over a count, since a draw may hold no audio at all: then the loss is 0, not NaN.
        return [
            F.cross_entropy(x.float(), target, ignore_index=IGNORED, reduction="sum")
            / (target != IGNORED).sum().clamp_min(1)
            for x, target in pairs
        ]

    def logits(self, states: Tensor, following: Tensor, n_vq: int) -> list[Tensor]:
        """Return the logits of every channel, teacher-forced: 1 + n_vq tensors [N, V].

        Args:
            states: Hidden states of the backbone, [N, hidden].
            following: The rows after them, [N, 1 + Nq].
            n_vq: How many codebooks are predicted.
        """
        tables = cast(nn.ModuleList, self.model.embedding_list)
        inputs = [states] + [tables[i](following[:, i]) for i in range(n_vq)]
        x = self.local_transformer(self.speech_embedding_to_local_mlp(torch.stack(inputs, dim=1)), None)
        parts = zip(
            self.local_to_speech_embedding_mlps, self.layer_norm_before_lm_heads, self.lm_heads, strict=True
        )
        return [head(norm(mlp(x[:, i]))) for i, (mlp, norm, head) in enumerate(parts) if i <= n_vq]

    def backbone(self, batch: Batch, n_vq: int) -> tuple[Tensor, Tensor]:
        """Return the hidden states [B, T, hidden] and the loss of the guided heads."""
        rows, tables = batch.rows, cast(nn.ModuleList, self.model.embedding_list)
        x = torch.stack([tables[i](rows[..., i]) for i in range(1 + n_vq)]).sum(0)
        cos, sin = (table[: rows.shape[1]].to(x.device) for table in self._rotary)
        guides = []
        stack = cast(_Stack, self.model.language_model)
        for index, layer in enumerate(cast("list[_Layer]", stack.layers)):
            if index in GUIDED_LAYERS:
                scores = layer.self_attn.scores(layer.input_layernorm(x), (cos, sin))
                guides.append(guide_loss(scores, batch))
            x = layer(x, (cos, sin))
        states: Tensor = stack.norm(x)
        return states, torch.stack(guides).mean() if guides else x.new_zeros(())


def guide_loss(scores: Tensor, batch: Batch) -> Tensor:
    """Return the cross-entropy between a head's attention over the text and where the speech is in it.

    Args:
        scores: [B, T, T], before the softmax.
        batch: Tells the columns of the text and, for rows with a frame to come, the wanted column.
    """
    guided = batch.places >= 0
    columns = torch.arange(scores.shape[-1], device=scores.device)
    wanted = -((columns - batch.places[guided][:, None]) ** 2) / (2 * GUIDE_SPREAD**2)
    outside = ~batch.text[:, None].expand_as(scores)[guided]
    logs = scores[guided].float().masked_fill(outside, -1e4).log_softmax(-1)
    return -(wanted.masked_fill(outside, -1e4).softmax(-1) * logs).sum(-1).mean()


def _initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
