from __future__ import annotations

import pytest

from moss_stream.text.markup import Rule, Scan, inline_rule, strip_line_start


def rule(text: str, is_final: bool = False, before: str = " ") -> Rule | None:
    """What is read at the beginning of a text."""
    return inline_rule(Scan(text, 0, is_final, before, is_row=False))


@pytest.mark.parametrize("text", ["*", "**", "_", "!", "[a", "[a]", "[a](b", "<b", "&am", "https:/", "w"])
def test_what_more_text_could_change_waits(text: str) -> None:
    """A mark at the end of what is there is not decided; at the end of the text it is."""
    assert rule(text) is None
    assert rule(text, is_final=True) is not None


@pytest.mark.parametrize(
    ("text", "before", "spoken"),
    [
        ("*a", " ", ""),
        ("* a", " ", "*"),
        ("*3", "2", "*"),
        ("_x", "a", "_"),
        ("_x", " ", ""),
        ("~5", " ", "~"),
        ("<3 ", " ", "<"),
        ("&lt; ", " ", "<"),
        ("www.moss.dev/x ", " ", "moss.dev"),
        ("https://user:word@moss.dev:80 ", " ", "moss.dev:80"),
        ("\u200d.", "ن", "\u200d"),
        ("\u200d.", "👍", ""),
    ],
)
def test_what_stands_around_a_mark_decides(text: str, before: str, spoken: str) -> None:
    """Operators, names and the spelling of some scripts use the same characters as marks."""
    found = rule(text, before=before)
    assert found is not None and found.spoken == spoken


def test_the_text_of_a_link_is_read_again() -> None:
    """It may hold marks of its own, or a link."""
    assert rule("[**a**](b) ") == Rule(10, again="**a**")
    assert rule("[](b) ") == Rule(5)


@pytest.mark.parametrize(
    ("line", "rest", "fence"),
    [
        ("## Title", "Title", ""),
        ("#hashtag", "#hashtag", ""),
        ("  - item", "item", ""),
        ("-5 degrees", "-5 degrees", ""),
        ("> > deep", "deep", ""),
        ("---\n", "\n", ""),
        ("```py\n", "py\n", "```"),
        ("~~~\n", "\n", "~~~"),
        ("| cell", " cell", ""),
    ],
)
def test_marks_at_the_start_of_a_line(line: str, rest: str, fence: str) -> None:
    """They are passed over where they are marks, and stay where they are text."""
    start = strip_line_start(line, 0, is_final=True)
    assert start is not None and line[start.end :] == rest and start.fence == fence
    assert start.is_row == line.startswith("|")


def test_a_line_of_marks_alone_waits_for_what_follows() -> None:
    """Until then it may be a list, a rule, or the beginning of bold text."""
    assert strip_line_start("**", 0, is_final=False) is None
    start = strip_line_start("**bold", 0, is_final=False)
    assert start is not None and start.end == 0
