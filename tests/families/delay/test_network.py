from __future__ import annotations

import numpy as np
import pytest
import torch
from delay_data import WAYS, DelayCase, case, case_list, generator, model, prompts
from golden_data import expected, prefill

from moss_stream.config import SynthesisOptions

CASES = case_list()
RUNS = [pytest.param(each, way, id=f"{each.kind}-{each.name}-{way}") for each in CASES for way in WAYS]


@pytest.mark.parametrize(("which", "way"), RUNS)
def test_golden_rows(which: DelayCase, way: str) -> None:
    """Every row is the reference's: words, diagonals, tails, several audios, and what the penalty does."""
    wanted = expected(which.kind)[f"{which.name}.{way}"].numpy()
    made = generator(which.kind)
    made.open(0, SynthesisOptions(sampling=WAYS[way]))
    prefill(made, prompts(which.kind).prompt(which.message, which.prefix).rows)
    found = []
    for _ in range(len(wanted)):
        found.append(made.step([0]).rows[0].numpy().copy())
        c = model(which.kind).config
        inside = (
            c.audio_start_token_id,
            c.audio_assistant_gen_slot_token_id,
            c.audio_assistant_delay_slot_token_id,
        )
        made.made(0, found[-1][1:], is_outside=found[-1][0] not in inside)
    np.testing.assert_array_equal(np.stack(found), wanted)


@pytest.mark.parametrize("which", CASES, ids=lambda each: f"{each.kind}-{each.name}")
def test_golden_hidden_states(which: DelayCase) -> None:
    """The backbone's last hidden states are the reference's."""
    rows = torch.from_numpy(prompts(which.kind).prompt(which.message, which.prefix).rows)
    m, length = model(which.kind), len(rows)
    from moss_stream.nn.qwen3 import causal_mask

    with torch.inference_mode():
        positions = torch.arange(length)[None]
        mask = causal_mask(positions, length)
        hidden = m.hidden(rows[None], 8, positions, m.new_cache(1, length), length, mask)
    torch.testing.assert_close(
        hidden[0, -4:], expected(which.kind)[f"{which.name}.backbone_hidden"], rtol=0, atol=1e-4
    )
