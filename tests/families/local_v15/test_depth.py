from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from golden_data import expected
from local_v15_data import model
from torch import Tensor

from moss_stream.nn.layers import rotary_table
from tests.families.local_v15.test_network import hidden


def teacher_forced(states: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logits of the text head [T, 2] and of each codebook [T, Nq, V], given the codes before."""
    depth = model().depth
    cache, audio = depth.new_cache(len(states)), []
    with torch.inference_mode():
        x = depth.step(states, 0, cache)
        text = depth.logits(x, depth.text_head)
        for codebook, head in enumerate(depth.heads):
            audio.append(depth.logits(x, head))
            if codebook < 5:
                x = depth.step(
                    F.embedding(codes[:, codebook], depth.code_embedding[codebook]), codebook + 1, cache
                )
    return text, torch.stack(audio, dim=1)


@pytest.mark.parametrize("name", ["direct", "continuation"])
def test_golden_teacher_logits(name: str) -> None:
    """Logits of every channel and the losses are the reference's, for the codes the model was forced to."""
    data = expected("local_v15")
    codes, prompt = data[f"{name}.teacher.codes"], data[f"{name}.input_ids"]
    rows = torch.cat([prompt, torch.cat([torch.full((len(codes), 1), 507), codes], dim=1)])
    states = hidden(rows)[-len(codes) - 1 : -1]
    text, audio = teacher_forced(states, codes)
    torch.testing.assert_close(text, data[f"{name}.teacher.text_logits"], atol=1e-4, rtol=0)
    # The pad's row is ours: the reference has none.
    torch.testing.assert_close(audio[..., :-1], data[f"{name}.teacher.audio_logits"], atol=1e-4, rtol=0)


def test_steps_are_the_whole_sequence() -> None:
    """Codebook by codebook with a cache gives what one pass over all gives, written out."""
    depth, size = model().depth, 24
    x = torch.randn(2, 6, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        cache = depth.new_cache(2)
        stepped = torch.cat([depth.step(x[:, i], i, cache) for i in range(6)], dim=1)
        (layer,) = depth.layers
        cos, sin = (t[None, :, None, : size // 2] for t in rotary_table(6, size, 1e6))
        q, k, v = layer.in_proj(layer.norm1(x)).view(2, 6, 3, 4, size).unbind(2)  # type: ignore[operator]
        q, k = (_turned(t, cos, sin).transpose(1, 2) for t in (q, k))
        out = F.scaled_dot_product_attention(q, k, v.transpose(1, 2), is_causal=True)
        x = x + layer.out_proj(out.transpose(1, 2).flatten(2))  # type: ignore[operator]
        x = x + layer.linear2(F.silu(layer.linear1(layer.norm2(x))))  # type: ignore[operator]
    torch.testing.assert_close(stepped, x, atol=1e-5, rtol=1e-5)


def _turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    even, odd = x[..., ::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, odd * cos + even * sin], dim=-1).flatten(-2)


def test_heads_are_the_embeddings() -> None:
    """They share memory, with a row for the pad, which has neither embedding nor logit."""
    m = model()
    for codebook, head in enumerate(m.depth.heads):
        assert head.get_parameter("weight").data_ptr() == m.audio_embedding[codebook].data_ptr()
    assert not m.audio_embedding[:, -1].any()
