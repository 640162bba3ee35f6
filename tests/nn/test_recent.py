from __future__ import annotations

import numpy as np
import pytest
import torch

from moss_stream.config import ChannelSampling
from moss_stream.nn.recent import RecentFrames
from moss_stream.nn.sampling import Sampler

CPU = torch.device("cpu")


@pytest.mark.parametrize("window", [1, 3, 7])
def test_what_is_seen_is_the_window(window: int) -> None:
    """Against a list, for two sequences that move on at different times and restart."""
    random = np.random.default_rng(window)
    recent, seen = RecentFrames(2, 2, window, CPU), torch.ones(2, 2, 9, dtype=torch.bool)
    history: list[list[np.ndarray[tuple[int], np.dtype[np.int64]]]] = [[], []]
    last = np.zeros((2, 2), np.int64)
    for _ in range(60):
        moves = random.integers(0, 2, 2).astype(bool)
        recent.mark(torch.from_numpy(last), torch.from_numpy(moves), seen)
        for b in range(2):
            wanted = torch.zeros(2, 9, dtype=torch.bool)
            for codes in history[b][-window:]:
                wanted[torch.arange(2), torch.from_numpy(codes)] = True
            if moves[b]:
                assert torch.equal(seen[b], wanted)
                last[b] = random.integers(0, 9, 2)
                history[b].append(last[b].copy())
            if random.random() < 0.05:
                recent.restart(b)
                history[b], last[b] = [], 0


def test_the_most_likely_code_is_taken_after_the_penalty() -> None:
    """So the reference does it: the first frame without, the next ones with what was said."""
    sampler = Sampler(1, 1, 5, CPU, window=2)
    sampler.configure(0, [ChannelSampling(), ChannelSampling(temperature=0.0, repetition_penalty=2.0)], 0)
    sampler.remember(0, torch.tensor([[4]]))  # a prompt does not count
    active, said = torch.ones(1, dtype=torch.bool), []
    last = torch.zeros(1, 1, dtype=torch.int64)
    for _ in range(5):
        sampler.next_frame(active, last)
        last = sampler.code(0, torch.tensor([[1.0, 1.2, 1.4, 1.6, 1.8]])).clone()[:, None]
        said.append(int(last))
    assert said == [4, 3, 2, 4, 3]


def test_without_a_penalty_nothing_changes() -> None:
    """Greedy stays greedy."""
    sampler = Sampler(1, 1, 3, CPU, window=50)
    sampler.configure(0, [ChannelSampling(), ChannelSampling(temperature=0.0)], 0)
    for _ in range(3):
        sampler.next_frame(torch.ones(1, dtype=torch.bool), torch.full((1, 1), 2))
        assert sampler.code(0, torch.tensor([[0.0, 1.0, 2.0]])).tolist() == [2]
