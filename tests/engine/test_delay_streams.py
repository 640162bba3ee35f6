"""Streams of the delay pattern in one batch: each makes what it makes alone."""

from __future__ import annotations

import random
from functools import cache

import numpy as np
import pytest
from delay_data import DelayCase, begin, ended, engine, run

from moss_stream.engine.protocol import Frame, FrameKind
from moss_stream.engine.speech_engine import SpeechEngine

KINDS = ("delay", "delay_half")
DEPTHS: tuple[dict[str, int], ...] = ({}, {"n_vq": 1}, {"n_vq": 4}, {"first_n_vq": 2}, {"first_n_vq": 1})
STREAMS = 8


@cache
def shared(kind: str) -> SpeechEngine:
    return engine(kind, max_streams=STREAMS, max_context=512, prefill_chunk=32, fixed_batch=True)


@cache
def alone(kind: str, number: int, depth: int) -> list[Frame]:
    """What a stream makes that nobody disturbs."""
    return run(shared(kind), cases(kind)[number], **DEPTHS[depth])


def cases(kind: str) -> list[DelayCase]:
    return [each for each in ended() if each.kind == kind]


def check(frame: Frame, wanted: Frame) -> None:
    """Codes and kind are equal, samples but for rounding."""
    assert (frame.kind, frame.is_whole) == (wanted.kind, wanted.is_whole)
    if frame.is_whole:
        assert frame.codes.tolist() == wanted.codes.tolist()
    if frame.kind is FrameKind.AUDIO:
        ours, theirs = (np.frombuffer(each.pcm, "<i2").astype(int) for each in (frame, wanted))
        assert np.abs(ours - theirs).max() <= 1


def speak(kind: str, seed: int) -> int:
    """Run a schedule; return how many streams were cancelled."""
    made, chance, num_cancelled = shared(kind), random.Random(seed), 0
    waiting = [(chance.randrange(len(cases(kind))), chance.randrange(len(DEPTHS))) for _ in range(STREAMS)]
    speaking: dict[int, tuple[list[Frame], int, int]] = {}
    while waiting or speaking:
        free = [slot for slot in range(STREAMS) if slot not in speaking]
        if waiting and free and chance.random() < 0.4:
            number, depth = waiting.pop()
            wanted = alone(kind, number, depth)
            last = chance.randrange(len(wanted)) if chance.random() < 0.4 else len(wanted) - 1
            slot = chance.choice(free)
            begin(made, slot, cases(kind)[number], **DEPTHS[depth])
            speaking[slot] = wanted, 0, last
            num_cancelled += last < len(wanted) - 1
        if speaking:
            slots = sorted(chance.sample(list(speaking), chance.randint(1, len(speaking))))
            for slot, frame in zip(slots, made.step(slots), strict=True):
                wanted, at, last = speaking.pop(slot)
                check(frame, wanted[at])
                if at < last:
                    speaking[slot] = wanted, at + 1, last
    return num_cancelled


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hundred", [0, *(pytest.param(n, marks=pytest.mark.ci) for n in range(1, 10))])
def test_streams_do_not_touch_each_other(kind: str, hundred: int) -> None:
    """Joins, ends at any row of head and tail, several audios in one generation, and different depths."""
    for number in range(len(cases(kind))):  # first, so that what is compared with was really alone
        for depth in range(len(DEPTHS)):
            alone(kind, number, depth)
    assert sum(speak(kind, 10 * hundred + each) for each in range(10)) > 0
