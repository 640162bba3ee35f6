from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from moss_stream.families.delay.kinds import kind_of
from moss_stream.uses import Use

BIG = {"language_config": {"hidden_size": 4096}, "n_vq": 32}


@pytest.mark.parametrize(
    ("folder", "raw", "wanted"),
    [
        ("MOSS-TTSD-v1.0", BIG, Use.DIALOGUE),
        ("models--OpenMOSS-Team--MOSS-SoundEffect/snapshots/0a1b", BIG, Use.SOUND),
        ("weights", {**BIG, "_name_or_path": "OpenMOSS-Team/MOSS-VoiceGenerator"}, Use.VOICE_DESIGN),
        ("weights", {"language_config": {"hidden_size": 2048}, "n_vq": 32}, Use.VOICE_DESIGN),
        ("weights", {**BIG, "n_vq": 16}, Use.DIALOGUE),
        ("MOSS-TTS", BIG, Use.SPEECH),
    ],
)
def test_which_of_the_four_it_is(folder: str, raw: dict[str, Any], wanted: Use) -> None:
    """By its name, wherever that stands; without one, by what only one of them has."""
    kind = kind_of(Path("/models") / folder, raw)
    assert wanted in kind.uses and kind.uses != frozenset(Use)


def test_the_defaults_of_the_model_cards() -> None:
    """Temperature, top-p, top-k and penalty of each; the text channel is that of all."""
    found = {}
    for name in ("moss-tts", "moss-ttsd-v1.0", "moss-voicegenerator", "moss-soundeffect"):
        kind = kind_of(Path(name), BIG)
        audio = kind.sampling.channels(1)[1]
        found[name] = audio.temperature, audio.top_p, audio.top_k, audio.repetition_penalty
        assert kind.sampling.text.temperature == 1.5 and kind.sampling.text.top_k == 50
    assert found == {
        "moss-tts": (1.7, 0.8, 25, 1.0),
        "moss-ttsd-v1.0": (1.1, 0.9, 50, 1.1),
        "moss-voicegenerator": (1.5, 0.6, 50, 1.1),
        "moss-soundeffect": (1.5, 0.6, 50, 1.2),
    }


def test_a_model_that_says_nothing_of_itself_is_asked_for_anything() -> None:
    """Somebody's own training has any name; a dialogue is remembered for longer than a text."""
    assert kind_of(Path("mine"), BIG).uses == frozenset(Use)
    assert [kind_of(Path(name), BIG).reads_phonetics for name in ("mine", "moss-tts", "moss-ttsd")] == [
        True,
        True,
        False,
    ]
    assert kind_of(Path("moss-ttsd"), BIG).history_s > kind_of(Path("moss-tts"), BIG).history_s
