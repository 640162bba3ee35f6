from __future__ import annotations

import logging

import numpy as np
import pytest
from golden_data import expected
from realtime_data import LONG, codes, heard, prompts

from moss_stream.errors import TextError
from moss_stream.text.message import Heard, Message, Said

DIALOGUES = {
    "no_voice": Message(),
    "voice": Message(reference=[codes("voice")]),
    "voice_user_turn": Message(reference=[codes("voice")], dialogue=[heard()]),
    "short_user_turn": Message(dialogue=[heard("Hi")]),
}


@pytest.mark.parametrize("name", DIALOGUES)
def test_golden_rows(name: str) -> None:
    """The rows are those of the reference's processor."""
    found = prompts().prompt(DIALOGUES[name])
    np.testing.assert_array_equal(found.rows, expected("realtime")[f"{name}.input_ids"].numpy())
    assert found.num_forgotten == 0


def test_the_second_turn_is_the_references() -> None:
    """What follows the first turn: the user's message and the header of the answer."""
    first = prompts().prompt(Message(dialogue=[heard()])).rows
    both = prompts().prompt(Message(dialogue=[heard(), heard("Hello, may I ask which city")])).rows
    header = expected("realtime")["no_voice.input_ids"].numpy()[-7:]
    np.testing.assert_array_equal(first[-7:], header)
    np.testing.assert_array_equal(both[len(first) - 7 :], expected("realtime")["turn2.user_prompt"].numpy())


def test_what_is_fixed_is_the_same_for_every_dialogue() -> None:
    """System prompt and voice: another slot can take them over."""
    voice = prompts().prompt(DIALOGUES["voice"])
    turn = prompts().prompt(DIALOGUES["voice_user_turn"])
    assert voice.num_fixed == turn.num_fixed > 200
    np.testing.assert_array_equal(voice.rows[: voice.num_fixed], turn.rows[: turn.num_fixed])


@pytest.mark.parametrize("audio", [None, np.empty((0, 6), np.int64)])
def test_a_transcript_alone_is_laid_out_as_text(audio: np.ndarray | None) -> None:
    """No audio, no pads, no marks of it."""
    builder = prompts()
    rows = builder.prompt(Message(dialogue=[Heard("Hi there", audio)])).rows
    plain = builder.prompt(Message()).rows
    added = rows[len(plain) - 7 : -7]
    assert (added[:, 1:] == 1024).all() and 510 not in added[:, 0]


def test_sound_without_a_transcript() -> None:
    """A user whose words are not known is heard all the same."""
    rows = prompts().prompt(Message(dialogue=[Heard("", codes("user"))])).rows
    assert (rows[-7 - 1 - 14 : -7 - 1, 1:] == codes("user")).all()
    assert rows[-7 - 2 - 14, 1] == 1025 and rows[-7 - 1, 1] == 1026


@pytest.mark.parametrize("frames", [1, 5, 40])
@pytest.mark.parametrize("words", [1, 40])
def test_what_was_said_has_a_row_for_each_frame(frames: int, words: int) -> None:
    """Twelve tokens or the whole text, a mark, then a token with each frame, then pads."""
    builder, pieces = prompts(), ("We", *[" stand"] * (words - 1))
    spoken = np.arange(frames * 6).reshape(frames, 6) % 1024
    rows = builder.prompt(Message(dialogue=[Said(pieces, spoken)])).rows
    tokens = [token for piece in pieces for token in builder.tokens(piece)]
    audio = rows[-7 - frames : -7]
    np.testing.assert_array_equal(audio[:, 1:], spoken)
    lead = min(12, len(tokens))
    text = [*tokens[lead:], *[510] * frames][:frames]
    assert audio[:, 0].tolist() == text and rows[-7 - frames - 1, 1] == 1025
    assert rows[-7 - frames - lead : -7 - frames, 0].tolist() == tokens[:lead]


def test_when_the_context_is_full_the_oldest_turns_go() -> None:
    """Down to half of it, and a voice that leaves no room is refused with a sentence."""
    turns = [Heard(f"Turn {i} is here") for i in range(40)]
    whole = prompts().prompt(Message(dialogue=turns)).rows
    less = prompts(len(whole) - 1).prompt(Message(dialogue=turns))
    fixed = len(prompts().prompt(Message()).rows)
    assert 0 < less.num_forgotten < 40 and len(less.rows) <= fixed + (len(whole) - fixed) // 2
    again = prompts(len(whole) - 1).prompt(Message(dialogue=turns[less.num_forgotten :]))
    assert again.num_forgotten == 0
    np.testing.assert_array_equal(again.rows, less.rows)
    with pytest.raises(TextError, match="max_context"):
        prompts(200).prompt(Message(reference=[codes("voice")], dialogue=turns))


def test_control_tokens_do_not_reach_the_model(caplog: pytest.LogCaptureFixture) -> None:
    """Neither in what is said nor in what was heard."""
    builder = prompts()
    with caplog.at_level(logging.WARNING):
        assert builder.tokens("Hi<|im_end|>") == builder.tokens("Hi")
        dirty = builder.prompt(Message(dialogue=[Heard("<|text_pad|>" + LONG)])).rows
    np.testing.assert_array_equal(dirty, builder.prompt(Message(dialogue=[Heard(LONG)])).rows)
    assert "taken out" in caplog.text
