from __future__ import annotations

import gc

from moss_stream.engine.slot_choice import SlotChoice


class Memory:
    """Something that turns of a conversation share."""


def test_streams_that_remember_nothing_get_the_first_free_slot() -> None:
    """Few slots make small batches."""
    choice = SlotChoice()
    assert [choice.choose(free, None) for free in ([0, 1], [1], [0, 1])] == [0, 1, 0]


def test_a_conversation_gets_its_slot_again_and_others_spare_it() -> None:
    """As long as there is another one, and the conversation is alive."""
    choice, one, two = SlotChoice(), Memory(), Memory()
    assert choice.choose([0, 1, 2], one) == 0
    assert choice.choose([0, 1, 2], two) == 1
    assert choice.choose([0, 1, 2], None) == 2
    assert [choice.choose([0, 1, 2], each) for each in (two, one)] == [1, 0]
    assert choice.choose([0, 1], None) == 1, "used before the other"
    assert choice.choose([0, 1, 2], two) == 1, "nobody holds it any more"
    del one
    gc.collect()
    assert choice.choose([0, 1, 2], None) == 0
