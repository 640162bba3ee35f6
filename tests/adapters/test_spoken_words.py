from __future__ import annotations

import pytest
from moss_stream.adapters.spoken_words import SpokenWords

from moss_stream import AudioChunk


def chunk(index: int, start: int, end: int, is_final: bool = False) -> AudioChunk:
    length_s = 0.0 if is_final else 0.08
    return AudioChunk(b"", 24_000, index, 0.08 * index, length_s, is_final, start, end)


def test_a_word_is_spoken_when_its_last_letter_is() -> None:
    """Times lie within the chunks; a word that may go on is held back."""
    words = SpokenWords()
    words.write("Hi the")
    assert [word.text for word in words.spoken(chunk(0, 0, 4))] == ["Hi"]
    words.write("re.")
    assert words.spoken(chunk(1, 4, 6)) == []
    assert words.spoken(chunk(2, 6, 9)) == []
    (last,) = words.spoken(chunk(3, 9, 9, is_final=True))
    assert (
        last.text == " there." and last.start_s == pytest.approx(0.06) and last.end_s == pytest.approx(0.24)
    )


@pytest.mark.parametrize("text", ["Hello,  **you**\nthere. ", "Hello 你好，世界。", "12.5 %", "カタカナ"])
@pytest.mark.parametrize("size", [1, 3, 100])
def test_all_words_joined_are_the_text(text: str, size: int) -> None:
    """However chunks cut it; times never go back."""
    words, made = SpokenWords(), []
    words.write(text)
    for index, start in enumerate(range(0, len(text), size)):
        made += words.spoken(chunk(index, start, min(len(text), start + size)))
    made += words.spoken(chunk(index + 1, len(text), len(text), is_final=True))
    assert "".join(word.text for word in made) == text.rstrip()
    ends = [word.end_s for word in made]
    assert ends == sorted(ends) and all(word.start_s <= word.end_s for word in made)


def test_scripts_without_spaces_are_told() -> None:
    """A framework joins words with spaces, but not these."""
    words = SpokenWords()
    words.write("Hi 你。")
    made = words.spoken(chunk(0, 0, 5, is_final=True))
    assert [(word.text, word.is_spaced) for word in made] == [("Hi", True), (" 你", False), ("。", False)]
