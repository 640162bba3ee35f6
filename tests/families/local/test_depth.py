from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from golden_data import expected, model
from torch import Tensor

from tests.nn.test_qwen3 import hidden


def teacher_forced(states: Tensor, rows: Tensor) -> list[Tensor]:
    """Return the logits [T, V] of each channel when every channel is given the ones before it."""
    depth = model().depth
    cache = depth.new_cache(len(states))
    with torch.inference_mode():
        logits = [depth.step(depth.in_mlp(states), 0, cache)]
        x = depth.in_mlp(F.embedding(rows[:, 0], model().text_embedding))
        for codebook in range(8):
            logits.append(depth.step(x, 1 + codebook, cache))
            x = depth.code_input(codebook, rows[:, 1 + codebook])
    return logits


@pytest.mark.parametrize("name", ["direct", "clone_continuation"])
def test_golden_teacher_logits(name: str) -> None:
    """Logits of every channel and the losses are the reference's, for the rows the model was forced to."""
    data = expected("local")
    count = len(data[f"{name}.teacher.text_logits"])
    generated = data[f"{name}.greedy.k8"][:count]
    rows = torch.cat([data[f"{name}.input_ids"], generated])
    states = hidden(rows, len(rows))[-count - 1 : -1]
    logits = teacher_forced(states, generated)
    torch.testing.assert_close(logits[0], data[f"{name}.teacher.text_logits"], atol=1e-4, rtol=0)
    audio = torch.stack(logits[1:], dim=1)
    wanted = data[f"{name}.teacher.audio_logits"]
    torch.testing.assert_close(audio[..., :-1], wanted[..., :-1], atol=1e-4, rtol=0)


def test_the_table_is_the_mlp() -> None:
    """A tabulated step input equals the MLP on the code's embedding."""
    codes = torch.tensor([0, 5, 63, 64])
    with torch.inference_mode():
        direct = model().depth.in_mlp(F.embedding(codes, model().audio_embedding[3]))
    torch.testing.assert_close(model().depth.code_input(3, codes), direct, atol=1e-6, rtol=1e-5)
