from __future__ import annotations

import pytest
import torch
from golden_data import expected, generator, model

from moss_stream.config import SynthesisOptions
from moss_stream.engine.chunk import ChunkShape, PromptChunk


def chunk(most: int = 64) -> tuple[PromptChunk, torch.Tensor, torch.Tensor]:
    """For two slots, with what it writes."""
    hidden, rows = torch.full((3, model().backbone.config.hidden_size), 7.0), torch.full((3, 9), 7)
    return PromptChunk(model(), model().backbone.new_cache(2, 129), most, hidden, rows), hidden, rows


@pytest.mark.parametrize(("most", "lengths"), [(64, [64, 32, 16]), (100, [100, 64, 32, 16]), (5, [5])])
def test_chunks_have_few_lengths(most: int, lengths: list[int]) -> None:
    """Powers of two, and the longest."""
    made, _, _ = chunk(most)
    assert made.lengths == lengths
    rows = expected("local")["direct.input_ids"].numpy()[:most]
    shapes = {made.lay_out(0, rows[:n], 0, 8, 128).length for n in range(1, len(rows) + 1)}
    assert shapes <= set(lengths)


def test_padding_and_other_slots_do_not_matter() -> None:
    """The last row's hidden state goes to its slot, and is the same in a longer chunk."""
    rows = expected("local")["direct.input_ids"].numpy()[:20]
    found = []
    for most, length in ((20, 20), (64, 32)):
        made, hidden, last_rows = chunk(most)
        shape = made.lay_out(1, rows, 0, 8, 128)
        assert shape.length == length
        made.compute(shape)
        assert (hidden[[0, 2]] == 7).all() and not last_rows[1].any() and (last_rows[[0, 2]] == 7).all()
        found.append(hidden[1].clone())
    torch.testing.assert_close(*found, atol=1e-5, rtol=1e-5)


def test_a_chunk_of_no_slot_leaves_no_trace() -> None:
    """Nothing changes but what nobody reads: the last row of a cache, the last hidden state."""
    made = generator(prefill_chunk=64)
    made.open(0, SynthesisOptions())
    made.begin(0, expected("local")["direct.input_ids"].numpy())
    while not made.prefill(0):
        pass
    before = [tensor.clone() for tensor in made.state()]
    shape = ChunkShape(64, 256, 8)
    made.chunk.idle(shape)
    made.chunk.compute(shape)
    for old, new in zip(before, made.state(), strict=True):
        if old.ndim == 5 and old.shape[3] == made.capacity + 1:
            old, new = old[:, :, :, :-1], new[:, :, :, :-1]
        elif old.shape[0] == 9:  # slots, and one more
            old, new = old[:-1], new[:-1]
        assert torch.equal(old, new)
