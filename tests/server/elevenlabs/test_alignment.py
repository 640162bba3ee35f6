from __future__ import annotations

from moss_stream import Word
from moss_stream.server.elevenlabs.alignment import CharacterTimes

TEXT = "Well,  **no**\nmore. "
WORDS = [Word("Well,", 0, 5, 0.1, 0.5), Word("no", 9, 11, 0.7, 0.9), Word("more.", 14, 19, 1.0, 1.5)]


def test_every_character_comes_once_in_its_time() -> None:
    """Also what is not spoken, between the words; white space is a space."""
    aligner = CharacterTimes()
    aligner.write(TEXT[:7])
    first, _ = aligner.words(WORDS[:1])
    aligner.write(TEXT[7:])
    second, _ = aligner.words(WORDS[1:])
    rest, _ = aligner.rest()
    chars = first.chars + second.chars + rest.chars
    assert "".join(chars) == TEXT.replace("\n", " ")
    starts = first.starts_ms + second.starts_ms + rest.starts_ms
    assert starts == sorted(starts)
    at = {word.char_start: round(1000 * word.start_s) for word in WORDS}
    assert {place: starts[place] for place in at} == at
    assert second.ends_ms[-1] == 1500 == aligner.end_ms


def test_the_normalised_text_is_the_words() -> None:
    """With a space between them, and one behind the last."""
    aligner = CharacterTimes()
    aligner.write(TEXT)
    _, spoken = aligner.words(WORDS)
    spoken.extend(aligner.rest()[1])
    assert "".join(spoken.chars) == "Well, no more. "


def test_a_text_without_a_last_space_gets_one() -> None:
    """Clients know by it that the last word is whole."""
    aligner = CharacterTimes()
    aligner.write("No")
    written, _ = aligner.words([Word("No", 0, 2, 0.0, 0.4)])
    assert [*written.chars, *aligner.rest()[0].chars] == ["N", "o", " "]


def test_faster_speech_is_over_sooner() -> None:
    """Times are those of what is heard."""
    aligner = CharacterTimes(speed=2.0)
    aligner.write(TEXT)
    written, _ = aligner.words(WORDS)
    assert (written.starts_ms[0], aligner.end_ms) == (50, 750)
