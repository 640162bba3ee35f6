from __future__ import annotations

import torch
from golden_data import CPU, GOLDEN, expected, model

from moss_stream.config import EngineOptions, SamplingOptions
from moss_stream.families.local.load import load_local
from moss_stream.nn.sampling import Sampler


def test_a_row_embeds_as_the_sum_of_its_channels() -> None:
    """Text and the codebooks in use are added, the pad code's own embedding included."""
    m, row = model(), expected("local")["clone.input_ids"][30:40]
    with torch.inference_mode():
        wanted = m.text_embedding[row[:, 0]] + sum(m.audio_embedding[i][row[:, 1 + i]] for i in range(4))
        torch.testing.assert_close(m.embed(row[None], 4)[0], wanted)


def test_the_pair_head_says_only_the_two_ids() -> None:
    """Between "one more frame" and "end of audio" nothing else is ever sampled."""
    pair = load_local(GOLDEN / "local", CPU, torch.float32, EngineOptions(text_head="pair"))
    sampler = Sampler(1, 8, 65, CPU)
    sampler.configure(0, SamplingOptions().channels(8), seed=0)
    row, cache = torch.zeros(1, 9, dtype=torch.int64), pair.depth.new_cache(1)
    torch.manual_seed(0)
    said = set()
    with torch.inference_mode():
        for _ in range(40):
            sampler.next_frame(torch.ones(1, dtype=torch.bool))
            pair.next_row(torch.randn(1, 96), 1, cache, sampler, row)
            said.add(int(row[0, 0]))
    assert said == {505, 507}
