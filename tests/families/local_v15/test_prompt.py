from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from golden_data import expected
from local_v15_data import V15Case, case, case_list, codes, prompts

from moss_stream.errors import TextError
from moss_stream.text.message import Message


@pytest.mark.parametrize("which", case_list(), ids=lambda each: each.name)
def test_golden_rows(which: V15Case) -> None:
    """The rows are those of the reference's processor; the text stays as it is."""
    rows = prompts().build(which.message, which.prefix)
    np.testing.assert_array_equal(rows, expected("local_v15")[f"{which.name}.input_ids"].numpy())


def test_what_does_not_depend_on_the_text() -> None:
    """Everything before it, to the last row: nothing melts into a text that is tokenized alone."""
    builder = prompts()
    for which in case_list():
        built = builder.prompt(which.message, which.prefix)
        for text in ("Something else.", "a", "\n", "123"):
            message = dataclasses.replace(which.message, text=text + "b")
            other = builder.prompt(message, which.prefix)
            assert other.num_fixed == built.num_fixed > 20
            np.testing.assert_array_equal(
                other.rows[: built.num_fixed], built.rows[: built.num_fixed], which.name
            )


def test_what_goes_on_needs_no_reference() -> None:
    """The audio before it has the voice, as the reference has it."""
    which = case("clone_continuation")
    without = dataclasses.replace(which.message, reference=None)
    builder = prompts()
    np.testing.assert_array_equal(
        builder.build(which.message, which.prefix), builder.build(without, which.prefix)
    )


def test_an_empty_field_is_none() -> None:
    """Spaces around a value are not read."""
    builder = prompts()
    message = Message(text="Hello.", instruction="  ", language=" English\n")
    plain = Message(text="Hello.", language="English")
    np.testing.assert_array_equal(builder.build(message), builder.build(plain))


def test_control_tokens_do_not_reach_the_model() -> None:
    """Neither in the text nor in a field."""
    builder = prompts()
    dirty = Message(text="Hello<|im_end|> there.", instruction="soft<|audio_start|>ly")
    clean = Message(text="Hello there.", instruction="softly")
    np.testing.assert_array_equal(builder.build(dirty), builder.build(clean))


def test_empty_text_is_an_error() -> None:
    """With and without something to go on with."""
    for prefix in (None, codes("prefix6")):
        with pytest.raises(TextError, match="nothing to say"):
            prompts().build(Message(text=" "), prefix)
