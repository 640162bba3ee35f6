from __future__ import annotations

import pytest
import torch
from golden_data import Case, cases, expected, model
from torch import Tensor

from moss_stream.nn.qwen3 import causal_mask


def hidden(rows: Tensor, chunk: int, context: int | None = None) -> Tensor:
    """Run rows through the golden backbone in chunks; attend over `context` rows, or those there are."""
    cache = model().backbone.new_cache(1, 256)
    out = []
    with torch.inference_mode():
        for start in range(0, len(rows), chunk):
            end = min(start + chunk, len(rows))
            positions, seen = torch.arange(start, end)[None], context or end
            mask = causal_mask(positions, seen)
            out.append(model().hidden(rows[None, start:end], 8, positions, cache, seen, mask))
    return torch.cat(out, dim=1)[0]


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_golden_hidden_states(case: Case) -> None:
    """The last hidden states are the reference's."""
    rows = expected("local")[f"{case.name}.input_ids"]
    torch.testing.assert_close(
        hidden(rows, len(rows))[-4:], expected("local")[f"{case.name}.backbone_hidden"], atol=1e-4, rtol=0
    )


@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_chunks_do_not_change_the_result(chunk: int) -> None:
    """Prefill in chunks, or row by row, equals prefill at once."""
    rows = expected("local")["clone.input_ids"]
    torch.testing.assert_close(hidden(rows, chunk), hidden(rows, len(rows)), atol=1e-5, rtol=1e-5)


def test_a_larger_context_does_not_change_the_result() -> None:
    """Attending over the empty rest of the cache, masked, is the same as not reading it."""
    rows = expected("local")["direct.input_ids"]
    torch.testing.assert_close(hidden(rows, 16, context=256), hidden(rows, 16), atol=1e-5, rtol=1e-5)
