from __future__ import annotations

import pytest

from moss_stream.engine.scheduler import Candidate, Costs, Plan, Scheduler


def scheduler(prefill_s: float = 0.02, frames_s: dict[int, float] | None = None) -> Scheduler:
    made = Scheduler(Costs(frames_s or {1: 0.02, 4: 0.05}))
    made.costs.learn(Plan((0,), is_prefill=True), prefill_s)
    return made


def frame(slot: int, slack_s: float) -> Candidate:
    return Candidate(slot, False, slack_s)


def first_frame(slot: int, held_s: float, slack_s: float = -0.05) -> Candidate:
    return Candidate(slot, False, slack_s, held_s)


def prompt(slot: int, slack_s: float = 0.0) -> Candidate:
    return Candidate(slot, True, slack_s)


def test_nothing_to_do() -> None:
    """Without candidates there is no plan."""
    assert scheduler().plan([]) is None


def test_all_frames_go_together() -> None:
    """Whoever needs a frame gets it in the same step."""
    assert scheduler().plan([frame(2, 0.5), frame(0, 0.1)]) == Plan((0, 2), is_prefill=False)


@pytest.mark.parametrize(
    ("frames", "prompts", "wanted"),
    [
        ([], [prompt(1)], Plan((1,), True)),
        ([], [prompt(1, -0.1), prompt(2, -0.5)], Plan((2,), True)),
        ([frame(0, 0.5)], [prompt(1)], Plan((1,), True)),  # it can wait
        ([frame(0, 0.03)], [prompt(1)], Plan((0,), False)),  # it cannot
        ([frame(0, 0.5), frame(2, 0.03)], [prompt(1)], Plan((0, 2), False)),
        ([frame(0, -0.1)], [prompt(1, -0.05)], Plan((0,), False)),  # all late: the latest first
        ([frame(0, -0.1)], [prompt(1, -0.5)], Plan((1,), True)),
    ],
)
def test_a_prompt_is_read_when_nobody_has_to_wait(
    frames: list[Candidate], prompts: list[Candidate], wanted: Plan
) -> None:
    """Deadlines of those who speak go first; among those who are late, the longest wait."""
    assert scheduler().plan([*frames, *prompts]) == wanted


@pytest.mark.parametrize(
    ("frames", "late", "is_held"),
    [
        ([first_frame(0, 0.0)], -0.04, True),
        ([first_frame(0, 0.014)], -0.04, True),
        ([first_frame(0, 0.016)], -0.04, False),  # longer than its frame takes
        ([first_frame(0, 0.026), first_frame(2, 0.0)], -0.04, False),
        ([first_frame(0, 0.0)], 0.04, False),  # that listener has something to hear
        ([first_frame(0, 0.0), frame(2, 0.5)], -0.04, True),
        ([first_frame(0, 0.0), frame(2, 0.02), frame(3, 0.5)], -0.04, False),  # one of them would run dry
    ],
)
def test_first_frames_are_held_for_prompts(frames: list[Candidate], late: float, is_held: bool) -> None:
    """No longer than a frame takes, and at the cost of no listener who hears already."""
    made = scheduler(prefill_s=0.005)
    next_frame = Plan(tuple(each.slot for each in frames), is_prefill=False)
    assert made.plan([*frames, prompt(1, late)]) == (Plan((1,), is_prefill=True) if is_held else next_frame)


def test_costs_are_learned_and_guessed_between() -> None:
    """Known numbers are smoothed, numbers between are interpolated, larger ones in proportion."""
    costs = Costs({1: 0.02, 4: 0.05})
    assert [costs.frame_s(n) for n in (1, 2, 4, 8)] == pytest.approx([0.02, 0.03, 0.05, 0.1])
    for _ in range(600):
        costs.learn(Plan((0, 1), is_prefill=False), 0.04)
    assert costs.frame_s(2) == pytest.approx(0.04) and costs.frame_s(3) == pytest.approx(0.045)
    assert Costs().frame_s(1) is None


def test_one_more_stream_is_admitted_while_real_time_is_kept() -> None:
    """Somewhat more than half of a frame's 80 ms is given away; the first stream always comes in."""
    made = scheduler(frames_s={1: 0.02, 2: 0.03, 4: 0.06})
    assert [made.admits(active) for active in range(4)] == [True, True, False, False]
    assert scheduler(frames_s={1: 0.5}).admits(0) and not scheduler(frames_s={1: 0.5}).admits(1)
    assert Scheduler(Costs()).admits(0) and not Scheduler(Costs()).admits(1)


def test_the_expected_rtf_follows_what_is_measured() -> None:
    """One slow step changes nothing; when most of the last ones were slow, the machine is."""
    costs, step = Costs({1: 0.04, 2: 0.06}), Plan((0,), is_prefill=False)
    assert Costs().rtf(1) is None and [costs.rtf(n) for n in (1, 2)] == pytest.approx([0.5, 0.75])
    for seconds in [0.04] * 8 + [0.4]:
        costs.learn(step, seconds)
    assert costs.rtf(1) == pytest.approx(0.5, rel=0.35) and costs.rtf(1) < 1  # type: ignore[operator]
    for _ in range(9):
        costs.learn(step, 0.104)
    assert 1.2 < costs.rtf(1) < 1.6  # type: ignore[operator]
    for _ in range(60):
        costs.learn(step, 0.04)
    assert costs.rtf(1) == pytest.approx(0.5)
