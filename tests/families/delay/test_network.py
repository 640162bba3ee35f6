from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from delay_data import WAYS, DelayCase, case, case_list, generator, model, prompts
from golden_data import expected, prefill
from torch import Tensor

from moss_stream.config import SynthesisOptions
from moss_stream.nn.qwen3 import causal_mask

CASES = case_list()
WITHIN = (504, 507, 508)
"""Text ids after which a stream is within audio: its start and both slots."""
RUNS = [pytest.param(each, way, id=f"{each.kind}-{each.name}-{way}") for each in CASES for way in WAYS]


def hidden(kind: str, rows: Tensor) -> Tensor:
    """The backbone's states [T, width] after rows [T, 1 + Nq]."""
    m, length = model(kind), len(rows)
    positions = torch.arange(length)[None]
    with torch.inference_mode():
        mask, cache = causal_mask(positions, length), m.new_cache(1, length)
        return m.hidden(rows[None], m.config.n_vq, positions, cache, length, mask)[0]


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
        made.made(0, found[-1][1:], is_outside=found[-1][0] not in WITHIN)
    np.testing.assert_array_equal(np.stack(found), wanted)


@pytest.mark.parametrize("which", CASES, ids=lambda each: f"{each.kind}-{each.name}")
def test_golden_hidden_states(which: DelayCase) -> None:
    """The backbone's last hidden states are the reference's."""
    rows = torch.from_numpy(prompts(which.kind).prompt(which.message, which.prefix).rows)
    wanted = expected(which.kind)[f"{which.name}.backbone_hidden"]
    torch.testing.assert_close(hidden(which.kind, rows)[-4:], wanted, rtol=0, atol=1e-4)


TAUGHT = [each for each in CASES if f"{each.name}.teacher.labels" in expected(each.kind)]


@pytest.mark.parametrize("which", TAUGHT, ids=lambda each: f"{each.kind}-{each.name}")
def test_golden_teacher_logits(which: DelayCase) -> None:
    """Logits of every channel and the losses are the reference's, for the rows the model was forced to."""
    data, m = expected(which.kind), model(which.kind)
    labels, prompt = data[f"{which.name}.teacher.labels"], data[f"{which.name}.input_ids"]
    rows = torch.cat([prompt, data[f"{which.name}.greedy"][: len(labels) + 1 - len(prompt)]])
    states = hidden(which.kind, rows[:-1])
    with torch.inference_mode():
        text = m.text_head(states)
        audio = m.code_heads(states).view(len(states), m.config.n_vq, -1)
    wanted = data[f"{which.name}.teacher.text_logits"]
    first = slice(len(prompt) - 1, len(prompt) - 1 + len(wanted))
    torch.testing.assert_close(text[first], wanted, atol=1e-4, rtol=0)
    known, found = data[f"{which.name}.teacher.audio_logits"], audio[first]
    torch.testing.assert_close(found[..., :-1], known[..., :-1], atol=1e-4, rtol=0)
    channels = [text, *audio[..., :-1].unbind(1)]  # the pad is never sampled
    losses = [F.cross_entropy(each, labels[:, i]) for i, each in enumerate(channels)]
    torch.testing.assert_close(
        torch.stack(losses), data[f"{which.name}.teacher.loss_per_channel"], atol=1e-4, rtol=0
    )


def test_the_rows_of_the_head_that_audio_needs_are_rows_of_the_head() -> None:
    """Within audio two rows give the text channel; they are those of the two slots."""
    m = model()
    torch.testing.assert_close(m.slot_head.weight, m.text_head.weight[m.pair], atol=0, rtol=0)
    assert m.pair == [507, 508]


def test_within_audio_the_whole_head_changes_nothing() -> None:
    """`is_outside` is about others: a stream within audio draws the same row with it and without."""
    runs = []
    for text_head in ("pair", "full"):
        made = generator(text_head=text_head)
        made.open(0, SynthesisOptions(seed=3))
        prefill(made, prompts().prompt(case("continuation").message, case("continuation").prefix).rows)
        rows = []
        for _ in range(20):
            assert made.prepare([0]).is_outside == (text_head == "full")
            rows.append(made.step([0]).rows[0].tolist())
            made.made(0, np.array(rows[-1][1:]), is_outside=False)
            if rows[-1][0] == 505:
                break
        runs.append(rows)
    assert runs[0] == runs[1]
