from __future__ import annotations

import torch
from golden_data import expected
from realtime_data import model


def test_a_row_embeds_as_the_sum_of_its_channels() -> None:
    """Text and all codebooks are added; pads count like any other value."""
    m, rows = model(), expected("realtime")["voice_user_turn.input_ids"][180:260]
    with torch.inference_mode():
        wanted = m.text_embedding[rows[:, 0]] + sum(m.audio_embedding[i][rows[:, 1 + i]] for i in range(6))
        torch.testing.assert_close(m.embed(rows[None])[0], wanted)


def test_the_format_says_how_text_is_given() -> None:
    """Twelve tokens before the first frame; the end shows in the first codebook."""
    rows = model().rows
    assert rows.feed is not None and rows.feed.opening == 12
    assert (rows.end_channel, rows.end_id, rows.pad_code, rows.window) == (1, 1026, None, 50)
    assert (rows.num_codebooks, rows.codebook_size, rows.vocab_size) == (6, 1024, 1027)
