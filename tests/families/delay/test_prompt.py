from __future__ import annotations

import numpy as np
import pytest
from delay_data import DelayCase, case, case_list, prompts
from golden_data import expected

from moss_stream.errors import TextError
from moss_stream.text.message import Message


@pytest.mark.parametrize("which", case_list(), ids=lambda each: f"{each.kind}-{each.name}")
def test_golden_rows(which: DelayCase) -> None:
    """The rows are those of the reference's processor: fields, voices, prefixes, the cleaned text."""
    found = prompts(which.kind).prompt(which.message, which.prefix)
    np.testing.assert_array_equal(found.rows, expected(which.kind)[f"{which.name}.input_ids"].numpy())


@pytest.mark.parametrize("name", ["direct", "clone", "all_fields", "continuation"])
def test_what_is_fixed_does_not_depend_on_the_text(name: str) -> None:
    """Voice and manner come before the text, so their rows can be kept."""
    which = case(name)
    message = which.message
    one = prompts().prompt(message, which.prefix)
    other = prompts().prompt(
        Message(
            text="Quite another text.",
            reference=message.reference,
            instruction=message.instruction,
            tokens=message.tokens,
            quality=message.quality,
            sound_event=message.sound_event,
            ambient_sound=message.ambient_sound,
            language=message.language,
        )
    )
    assert one.num_fixed > 40
    np.testing.assert_array_equal(one.rows[: one.num_fixed], other.rows[: one.num_fixed])


def test_a_sound_needs_no_words_and_speech_does() -> None:
    """An ambient sound alone is a prompt; nothing at all is refused."""
    assert len(prompts().prompt(Message(ambient_sound="rain")).rows) > 50
    with pytest.raises(TextError, match="nothing to say"):
        prompts().prompt(Message(text="  "))


def test_the_text_is_cleaned_as_the_model_was_trained() -> None:
    """Another spelling of the same text gives the same rows."""
    one = prompts().prompt(Message(text="Wait......  really?!?!")).rows
    np.testing.assert_array_equal(one, prompts().prompt(Message(text="Wait。really？！")).rows)
    assert prompts().tokens("Wait......") == prompts().tokens("Wait。")


def test_an_empty_prefix_is_a_beginning_of_audio() -> None:
    """A prefix without frames leaves the model right behind the start."""
    rows = prompts().prompt(Message(text="Hi."), np.empty((0, 8), np.int64)).rows
    assert rows[-1, 0] == 504 and (rows[-1, 1:] == 64).all()
