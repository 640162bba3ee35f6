from __future__ import annotations

import math

import numpy as np

from moss_stream.config import SynthesisOptions
from moss_stream.text.sound_script import SoundScript


def test_a_description_is_no_text() -> None:
    """It goes into the prompt whole, as the ambient sound, with the wanted length."""
    made = SoundScript(SynthesisOptions(tokens=50))
    made.set_reference(None)
    made.whole()
    made.feed("Rain on a roof. ", 0.0)
    made.feed("Thunder, far away!", 0.0)
    made.end(0.0)
    begin = made.begin(0.0, math.inf)
    assert begin is not None and begin.prefix is None
    message = begin.message
    assert message.text == "" and message.ambient_sound == "Rain on a roof. Thunder, far away!"
    assert message.tokens == 50 and message.reference is None
    assert made.is_silence_wanted and 75 <= made.max_frames() <= 125
    made.add()
    made.timeline.frame()
    made.keep(np.zeros(4, np.int64))
    made.end_segment(0)
    assert made.begin(0.0, math.inf) is None and made.is_over
