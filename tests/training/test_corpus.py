from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from training.settings import VoiceSettings
from training.text import held_out, number_texts, sentences, short_texts

NOUNS = """\
  1 This software and database is being provided
00001 03 n 01 thing 0 001 @ 00002 n 0000 | an entity that is not named; "how could he say such a thing?"; "ab"
00002 03 n 01 dog 0 001 @ 00001 n 0000 | a member of the genus Canis; "the dog barked all night"
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Unpacked packages with a few sentences of each source."""
    share = tmp_path / "usr/share"
    for folder in ("wordnet", "games/fortunes", "doc/jargon-text"):
        (share / folder).mkdir(parents=True)
    (share / "wordnet/data.noun").write_text(NOUNS)
    fortune = "A stitch in time saves nine. Or so they say!\n%\n!!! $$$ ###\n%\n"
    (share / "games/fortunes/wisdom").write_text(fortune)
    (share / "games/fortunes/wisdom.dat").write_bytes(b"\x00\x01")
    jargon = "The word hacker has several meanings. It is old.\n\nFOO BAR BAZ QUUX IS SHOUTED."
    (share / "doc/jargon-text/jargon.txt.gz").write_bytes(gzip.compress(jargon.encode()))
    return tmp_path


def test_sentences_are_clean_and_come_from_every_source(root: Path) -> None:
    """Examples, glosses and prose become sentences with a capital and a full stop; noise is left out."""
    assert set(sentences(root, seed=0)) == {
        "How could he say such a thing?",
        "An entity that is not named.",
        "A member of the genus Canis.",
        "The dog barked all night.",
        "A stitch in time saves nine.",
        "Or so they say!",
        "The word hacker has several meanings.",
    }


def test_short_and_number_texts(root: Path) -> None:
    """One word alone, and numbers in figures and in words, are spoken too."""
    entries = "".join(f"{word} n 1 0 1 0 00001\n" for word in ("ice", "ice_cream", "x1", "o'clock", "moon"))
    (root / "usr/share/wordnet/index.noun").write_text(entries)
    assert {text.strip(".!?") for text in short_texts(root, 0, 3)} == {"Ice", "Ice cream", "Moon"}
    texts = number_texts(0, 50)
    assert any(any(c.isdigit() for c in text) for text in texts)
    assert any(not any(c.isdigit() for c in text) for text in texts)


def test_the_order_depends_on_the_seed_alone(root: Path) -> None:
    """The same seed shuffles the same way, so that evaluation sentences stay the same."""
    assert sentences(root, seed=1) == sentences(root, seed=1)
    assert sentences(root, seed=1) != sentences(root, seed=2)


def test_held_out_sentences_are_not_trained_on(root: Path) -> None:
    """Training and evaluation share no sentence and lose none."""
    found = sentences(root, seed=0)
    train, evaluation = held_out(found, 2)
    assert len(evaluation) == 2 and not set(train) & set(evaluation)
    assert sorted(train + evaluation) == sorted(found)


def test_the_recipes_settings_are_read() -> None:
    """The settings of the embedded voice are complete and spelt right."""
    settings = VoiceSettings.read(Path(__file__).parents[2] / "training" / "voice.toml")
    assert settings.corpus.voices == ("rms", "slt", "awb")
    assert 8 <= settings.codec.num_codebooks <= 16
