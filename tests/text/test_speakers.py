from __future__ import annotations

import random

import pytest

from moss_stream.text.speakers import LinePart, TagReader, has_tag, joined, speaker_number

TEXT = "Who? [S1] One [S2]two[S10] [S1]] [S2][S3] three [S6] [x] [S"


def read(deltas: list[str]) -> list[LinePart]:
    made = TagReader()
    return [part for delta in deltas for part in made.feed(delta)] + made.end()


def said(parts: list[LinePart]) -> list[tuple[str, str]]:
    """Speaker and text of each line."""
    lines: list[tuple[str, str]] = []
    for part in parts:
        if part.is_first or not lines:
            lines.append((part.speaker, ""))
        lines[-1] = part.speaker, lines[-1][1] + part.text
    return lines


def test_tags_say_who_speaks() -> None:
    """What is no tag of a speaker is text like any other."""
    wanted = [("", "Who? "), ("S1", " One "), ("S2", "two[S10] "), ("S1", "] "), ("S2", "")]
    assert said(read([TEXT])) == [*wanted, ("S3", " three [S6] [x] [S")]


@pytest.mark.parametrize("seed", range(20))
def test_a_tag_may_be_split_anywhere(seed: int) -> None:
    """Deltas end where they like; every part says where it was written."""
    rng, deltas, rest = random.Random(seed), [], TEXT
    while rest:
        count = rng.randint(1, 5)
        deltas.append(rest[:count])
        rest = rest[count:]
    parts = read(deltas)
    assert said(parts) == said(read([TEXT]))
    assert all(TEXT[part.start : part.start + len(part.text)] == part.text for part in parts)


def test_what_may_be_a_tag_is_held_back_and_nothing_else() -> None:
    """A bracket, an S, two figures: then it is decided."""
    made = TagReader()
    held = []
    for character in "a[S12]b[":
        made.feed(character)
        held.append(made.num_held)
    assert held == [0, 1, 2, 3, 4, 0, 0, 1]


def test_numbers_of_speakers() -> None:
    """S1 to S5, written so."""
    assert [speaker_number(each) for each in ("S1", "S5")] == [1, 5]
    assert not any(speaker_number(each) for each in ("S0", "S6", "S01", "s1", "1", "", "S1]", "[S1]"))
    assert has_tag("a [S3] b") and not has_tag("a [S9] [T1] S1")


def test_lines_of_one_speaker_have_one_tag() -> None:
    """As the reference joins them."""
    assert joined([("S1", "One. "), ("S1", "Two. "), ("S2", " Three. "), ("S1", "Four.")]) == (
        "[S1]One. Two. [S2]Three. [S1]Four."
    )
    assert joined([("", "No one. "), ("", "says this.")]) == "No one. says this."
