from __future__ import annotations

import json

import pytest
import torch
from golden_data import CPU, GOLDEN, expected
from torch import Tensor

from moss_stream.config import ChannelSampling
from moss_stream.nn.sampling import ChannelOptions, Sampler, process, uniform

CASES = json.loads((GOLDEN / "sampler" / "cases.json").read_text(encoding="utf-8"))


def options(case: dict[str, float], batch: int) -> ChannelOptions:
    def column(value: float) -> Tensor:
        return torch.full((batch, 1), value)

    top_k = torch.full((batch, 1), int(case["top_k"]))
    return ChannelOptions(
        column(case["temperature"]), column(1 - case["top_p"]), top_k, column(case["repetition_penalty"])
    )


def sampler(channel: ChannelSampling, seeds: list[int], vocab: int = 6) -> Sampler:
    made = Sampler(len(seeds), 1, vocab, CPU)
    for slot, seed in enumerate(seeds):
        made.configure(slot, [channel, channel], seed)
    return made


def draws(made: Sampler, logits: Tensor, count: int) -> Tensor:
    drawn = []
    for _ in range(count):
        made.next_frame(torch.ones(len(made.frame), dtype=torch.bool))
        drawn.append(made.text(logits).clone())
    return torch.stack(drawn)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"case{case['case']}")
def test_golden_scores_and_probabilities(case: dict[str, float]) -> None:
    """Processed scores are bit for bit those of the reference; probabilities up to the rounding of exp.

    Scores are quotients of floats, which every platform rounds alike. A CPU's vector units each have
    an exp and an order of sums of their own, some units in the last place (2**-24) apart.
    """
    data = {
        name: expected("sampler")[f"{case['case']}.{name}"]
        for name in ("logits", "history", "scores", "probs")
    }
    seen = torch.zeros_like(data["logits"], dtype=torch.bool).scatter_(1, data["history"], True)
    scores = process(data["logits"], options(case, len(seen)), seen)
    assert torch.equal(scores, data["scores"])
    torch.testing.assert_close(scores.softmax(-1), data["probs"], rtol=1e-5, atol=1e-9)


def test_ties_with_the_kth_value_are_kept() -> None:
    """Top-k keeps every value that equals the k-th."""
    logits = torch.tensor([[3.0, 2.0, 2.0, 2.0, 1.0]])
    case = {"temperature": 1.0, "top_p": 1.0, "top_k": 2, "repetition_penalty": 1.0}
    assert (process(logits, options(case, 1), None) > -torch.inf).tolist() == [
        [True, True, True, True, False]
    ]


def test_temperature_zero_takes_the_largest_and_ignores_the_penalty() -> None:
    """Greedy decoding applies nothing, not even the penalty on codes already seen."""
    made = sampler(ChannelSampling(temperature=0.0, repetition_penalty=2.0), [1])
    made.remember(0, torch.tensor([[2]]))
    made.next_frame(torch.ones(len(made.frame), dtype=torch.bool))
    assert made.code(0, torch.tensor([[0.0, 0.9, 1.0, 0.0, 0.0, 0.0]])).tolist() == [2]


def test_penalty_holds_from_the_moment_a_code_was_sampled() -> None:
    """A code that was just generated is penalised in the next frame."""
    made = sampler(ChannelSampling(temperature=1.0, top_k=1, repetition_penalty=2.0), [1])
    logits = torch.tensor([[0.0, 0.9, 1.0, 0.0, 0.0, 0.0]])
    chosen = []
    for _ in range(2):
        made.next_frame(torch.ones(len(made.frame), dtype=torch.bool))
        chosen.append(made.code(0, logits.clone()).item())
    assert chosen == [2, 1]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_the_pad_code_is_never_sampled(temperature: float) -> None:
    """However likely it is."""
    made = Sampler(1, 1, 6, CPU, pad=2)
    channel = ChannelSampling(temperature=temperature)
    made.configure(0, [channel, channel], 1)
    for _ in range(20):
        made.next_frame(torch.ones(1, dtype=torch.bool))
        assert made.code(0, torch.tensor([[0.0, 0.9, 9.0, 0.0, 0.0, 0.0]])).item() != 2


def test_of_equal_values_the_last_stay() -> None:
    """Where top-p cuts through equal values: the same on every device."""
    case = {"temperature": 1.0, "top_p": 0.5, "top_k": 0, "repetition_penalty": 1.0}
    kept = process(torch.zeros(1, 100), options(case, 1), None)[0] > -torch.inf
    assert not kept[:49].any() and kept[51:].all()


def test_draws_follow_the_probabilities() -> None:
    """Over many frames each value comes as often as its probability says (chi-square, 1 in 10,000)."""
    probabilities = torch.tensor([[0.5, 0.25, 0.125, 0.0, 0.1, 0.025]])
    drawn = draws(sampler(ChannelSampling(), [7]), probabilities.log(), 4000)
    counts = torch.bincount(drawn[:, 0], minlength=6).float()
    wanted = probabilities[0] * 4000
    assert counts[3] == 0
    kept = wanted > 0
    assert ((counts - wanted)[kept].square() / wanted[kept]).sum() < 23.5


def test_a_stream_draws_the_same_alone_and_among_others() -> None:
    """The random numbers of a seed do not depend on the batch."""
    logits = torch.zeros(1, 6)
    alone = draws(sampler(ChannelSampling(), [5]), logits, 50)
    among = draws(sampler(ChannelSampling(), [9, 5, 2**40 + 5]), logits.expand(3, -1), 50)
    assert torch.equal(alone[:, 0], among[:, 1])
    assert not torch.equal(among[:, 1], among[:, 2])


def test_configure_restarts_the_random_stream() -> None:
    """A reused slot draws as a fresh one."""
    made = sampler(ChannelSampling(), [5])
    first = draws(made, torch.zeros(1, 6), 20)
    made.configure(0, [ChannelSampling(), ChannelSampling()], 5)
    assert torch.equal(first, draws(made, torch.zeros(1, 6), 20))


def test_uniform_numbers_are_uniform_and_uncorrelated() -> None:
    """Mean, spread and neighbour correlation over seeds, frames and channels are those of random numbers."""
    seeds, frames = torch.arange(64).repeat_interleave(64), torch.arange(64).repeat(64)
    u = uniform(seeds, frames, torch.arange(33)).double()
    assert u.min() >= 0 and u.max() < 1
    assert abs(u.mean().item() - 0.5) < 0.003 and abs(u.var().item() - 1 / 12) < 0.001
    cube = (u - 0.5).view(64, 64, 33)
    for axis in range(3):
        a, b = cube.narrow(axis, 0, cube.shape[axis] - 1), cube.narrow(axis, 1, cube.shape[axis] - 1)
        assert abs((a * b).mean().item()) * 12 < 0.015


def test_a_tuple_gives_each_codebook_its_own_options() -> None:
    """Options can differ between codebooks."""
    made = Sampler(1, 2, 4, CPU)
    greedy, free = ChannelSampling(temperature=0.0), ChannelSampling()
    made.configure(0, [greedy, greedy, free], 3)
    logits = torch.tensor([[0.0, 0.1, 0.0, 0.0]])
    codes = []
    for _ in range(30):
        made.next_frame(torch.ones(len(made.frame), dtype=torch.bool))
        codes.append((made.code(0, logits.clone()).item(), made.code(1, logits.clone()).item()))
    assert {first for first, _ in codes} == {1} and len({second for _, second in codes}) > 1


def test_a_prompt_need_not_be_penalised() -> None:
    """Then only what was drawn since counts, also where the most likely value is taken."""
    made = Sampler(1, 1, 4, CPU, penalises_greedy=True, penalises_prompt=False)
    made.configure(0, [ChannelSampling(), ChannelSampling(temperature=0.0, repetition_penalty=2.0)], 0)
    logits = torch.tensor([[3.0, 2.9, 0.1, 0.0]])
    for _ in range(2):
        made.remember(0, torch.tensor([[0], [1]]))
        drawn = []
        for _ in range(3):
            made.next_frame(torch.ones(1, dtype=torch.bool))
            drawn.append(int(made.code(0, logits.clone())))
        assert drawn == [0, 1, 0]
