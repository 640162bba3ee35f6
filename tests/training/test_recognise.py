from __future__ import annotations

import pytest

from training.recognise import error_rate, spoken_words, word_errors


def test_word_errors_are_the_least_edits() -> None:
    """A wrong, a missing and an extra word count one each."""
    assert word_errors("the cat sat".split(), "the cat sat".split()) == 0
    assert word_errors("the cat sat".split(), "the bat sat down".split()) == 2
    assert word_errors("the cat sat".split(), []) == 3


def test_the_rate_is_over_all_words() -> None:
    """Errors of all sentences are divided by the words of all sentences."""
    assert error_rate([("One two.", ["one", "two"]), ("Three four!", ["three"])]) == pytest.approx(0.25)


def test_text_is_compared_without_punctuation() -> None:
    """Case and punctuation are not heard."""
    assert spoken_words("Don't stop, -- Mr. X!") == ["don't", "stop", "mr", "x"]
