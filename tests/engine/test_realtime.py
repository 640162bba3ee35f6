"""MOSS-TTS-Realtime in the generator: golden codes, alone and beside others, over turns and interruptions."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from golden_data import expected
from realtime_data import case_list, codes, generator, greedy, heard, model, prompts, run_prompt, step

from moss_stream.engine.generator import FrameGenerator
from moss_stream.families.network import TextFeed
from moss_stream.text.message import Codes, Message, Said

TOKENS: list[int] = case_list()[0]["text_tokens"]


def begin(made: FrameGenerator, slot: int, case: dict[str, Any]) -> None:
    """Start a stream with a golden prompt; it has no text yet."""
    made.open(slot, greedy(case["repetition_penalty"]))
    made.begin(slot, expected("realtime")[f"{case['prompt']}.input_ids"].numpy(), 100)


def wanted(case: dict[str, Any]) -> Codes:
    found: Codes = expected("realtime")[f"{case['prompt']}.greedy.rp{case['repetition_penalty']}"].numpy()
    return found


@pytest.mark.parametrize("chunk", [16, 256])
@pytest.mark.parametrize("case", case_list(), ids=lambda c: f"{c['prompt']}-{c['repetition_penalty']}")
def test_golden_frames(case: dict[str, Any], chunk: int) -> None:
    """Generated codes are those of the reference, with the text given in advance."""
    made = generator(prefill_chunk=chunk)
    begin(made, 0, case)
    made.give(0, case["text_tokens"], is_last=True)
    run_prompt(made, 0)
    frames = [step(made, [0])[0] for _ in wanted(case)]
    np.testing.assert_array_equal(frames, wanted(case))


def test_golden_frames_with_a_token_at_a_time() -> None:
    """A prompt that was run before there was text, and text that comes as the model needs it."""
    case = case_list()[4]
    made = generator()
    begin(made, 1, case)
    run_prompt(made, 1)
    frames, tokens = [], list(TOKENS)
    for _ in wanted(case):
        while not made.is_fed(1):
            made.give(1, tokens[:1], is_last=len(tokens) <= 1)
            tokens = tokens[1:]
        run_prompt(made, 1)
        frames += step(made, [1])
        assert len(tokens) == max(0, len(TOKENS) - 12 - (len(frames) - 1))
    np.testing.assert_array_equal(frames, wanted(case))


def test_streams_that_come_go_and_starve_change_nobodys_codes() -> None:
    """200 random steps of eight streams with golden cases; each speaks as alone."""
    chance = random.Random(0)
    made = generator(max_streams=8)
    speaking: dict[int, tuple[dict[str, Any], list[Codes], list[int]]] = {}
    done = 0
    while done < 40:
        for slot in range(8):
            if slot not in speaking and chance.random() < 0.3:
                case = chance.choice(case_list())
                begin(made, slot, case)
                speaking[slot] = (case, [], list(TOKENS))
        ready = []
        for slot, (_, _, tokens) in speaking.items():
            if not made.is_fed(slot) and chance.random() < 0.7:
                count = chance.randint(1, 14)
                made.give(slot, tokens[:count], is_last=len(tokens) <= count)
                del tokens[:count]
            if made.is_fed(slot):
                if made.is_run(slot):
                    ready.append(slot)
                else:
                    made.prefill(slot)
            elif not made.is_run(slot) and chance.random() < 0.5:
                made.prefill(slot)
        for slot, frame in zip(ready, step(made, ready) if ready else [], strict=True):
            speaking[slot][1].append(frame)
        for slot in list(speaking):
            case, frames, _ = speaking[slot]
            if len(frames) == len(wanted(case)) or chance.random() < 0.01:
                if frames:
                    np.testing.assert_array_equal(frames, wanted(case)[: len(frames)])
                del speaking[slot]
                done += 1


def test_two_golden_turns_on_one_cache() -> None:
    """The second turn runs what is new of its prompt, and its codes are the reference's."""
    data = expected("realtime")
    first, second = data["two_turns.first"].numpy(), data["two_turns.second"].numpy()
    made = generator()
    answer = _rows(TOKENS, first[:-1])  # the reference leaves the last frame out: the model has not read it
    prompt = data["voice.input_ids"].numpy()
    for wanted_codes, rows in (
        (first, prompt),
        (second, np.concatenate([prompt, answer, data["turn2.user_prompt"].numpy()])),
    ):
        made.open(0, greedy(1.1))
        made.begin(0, rows, 100)
        made.give(0, TOKENS, is_last=True)
        assert len(made._slots[0].rows) - made._slots[0].length == 12 + (
            36 if wanted_codes is second else 230
        )
        run_prompt(made, 0)
        frames = [step(made, [0])[0] for _ in wanted_codes]
        np.testing.assert_array_equal(frames, wanted_codes)


def _rows(tokens: list[int], frames: Codes) -> Codes:
    """The rows of an answer: its opening, then a token with each frame."""
    feed = model().rows.feed
    assert isinstance(feed, TextFeed)
    opening = np.full((12, 7), feed.pad_code)
    opening[:, 0], opening[-1, 1] = tokens[:12], feed.bos_code
    text = [*tokens[12:], *[feed.pad_id] * len(frames)][: len(frames)]
    return np.concatenate([opening, np.column_stack([text, frames])])


@pytest.mark.parametrize("num_heard", range(1, 17))
def test_an_interrupted_turn_leaves_what_was_heard(num_heard: int) -> None:
    """At every frame: the next turn's codes are those after a fresh prefill of the same history."""
    builder = prompts()
    text = "We stand on the threshold of the AI era. Hello, may I ask which city you are from?"
    words = tuple(word if not i else f" {word}" for i, word in enumerate(text.split(" ")))
    tokens = [token for word in words for token in builder.tokens(word)]
    made = generator()
    made.open(0, greedy(1.1))
    prompt = builder.prompt(Message(reference=[codes("voice")], dialogue=[heard()]))
    made.begin(0, prompt.rows, prompt.num_fixed)
    made.give(0, tokens, is_last=True)
    run_prompt(made, 0)
    frames = np.stack([step(made, [0])[0] for _ in range(18)])  # more than were heard
    said = Said(words, frames[:num_heard])
    following = builder.prompt(Message(reference=[codes("voice")], dialogue=[heard(), said, heard("Hi")]))
    kept = len(prompt.rows) + 12 + num_heard
    fresh = generator()
    answers = []
    for each, is_fresh in ((made, False), (fresh, True)):
        each.open(0, greedy(1.1))
        each.begin(0, following.rows, following.num_fixed)
        assert each._slots[0].length == (0 if is_fresh else min(kept, len(following.rows)))
        each.give(0, tokens[:15], is_last=True)
        run_prompt(each, 0)
        answers.append(np.stack([step(each, [0])[0] for _ in range(12)]))
    length = len(following.rows)
    torch.testing.assert_close(made.cache.keys[:, 0, :, :length], fresh.cache.keys[:, 0, :, :length])
    np.testing.assert_array_equal(answers[0], answers[1])


def test_frames_grow_nothing() -> None:
    """The last frame uses the memory of the first."""
    made = generator()
    begin(made, 0, case_list()[1])
    made.give(0, TOKENS, is_last=True)
    run_prompt(made, 0)
    step(made, [0])
    places = [(t.data_ptr(), t.nbytes) for t in made.state()]
    for _ in range(100):
        step(made, [0])
    assert [(t.data_ptr(), t.nbytes) for t in made.state()] == places
