from __future__ import annotations

import pytest
from fakes import FakeEngine, sync_synthesizer_on

from moss_stream import StreamError


def test_turns_go_on_in_one_voice(caplog: pytest.LogCaptureFixture) -> None:
    """The second one has the first in its history; one at a time; what the user says is taken in."""
    engine = FakeEngine()
    with sync_synthesizer_on(engine) as synth:
        talk = synth.conversation()
        talk.user_said("Who are you?")
        assert "does not take in" in caplog.text
        first = talk.stream()
        first.push("Hello.")
        with pytest.raises(StreamError, match="not over"):
            talk.stream("Too early.")
        first.end()
        list(first)
        list(talk.stream("How are you?"))
    assert engine.texts()[-1] == "Hello. How are you?"
