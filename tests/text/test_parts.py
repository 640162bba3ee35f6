from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from moss_stream.text.parts import MOST, text_parts, unwrapped

PIECES = st.sampled_from(
    [
        "A word. ",
        "\n\n",
        "\n",
        "# Head\n",
        "```\n",
        "x" * 60,
        "long words, and more of them; " * 9,
        "。",
        " ",
        "你" * 90,
    ]
)
TEXTS = st.lists(PIECES, max_size=60).map("".join)


def paragraph(number: int) -> str:
    return f"This is paragraph number {number}. " * 6


def book(count: int) -> str:
    return "\n\n".join(paragraph(number) for number in range(count))


@given(TEXTS)
def test_the_parts_joined_are_the_text(text: str) -> None:
    """Nothing is lost, nothing is said twice, and none is empty."""
    parts = text_parts(text)
    assert "".join(part.text for part in parts) == text
    assert [part.start for part in parts] == [sum(len(p.text) for p in parts[:n]) for n in range(len(parts))]
    assert all(part.text for part in parts)


@given(TEXTS.filter(lambda text: "`" not in text))
def test_no_part_is_long(text: str) -> None:
    """A paragraph of any length is cut; white space alone may follow."""
    assert all(len(part.text.rstrip()) <= MOST for part in text_parts(text))


def test_a_part_ends_with_a_paragraph() -> None:
    """As far as paragraphs are not longer than a part."""
    parts = text_parts(book(80))
    assert len(parts) > 5 and all(part.text.endswith(("\n", " ")) for part in parts)
    assert all(part.text.startswith("This is paragraph") for part in parts)


def test_a_long_paragraph_is_cut_after_a_sentence() -> None:
    """Before the space that follows it."""
    parts = text_parts("Now a sentence of some words. " * 400)
    assert len(parts) >= 4 and all(part.text.rstrip().endswith(".") for part in parts)


def test_an_edit_changes_few_parts() -> None:
    """Those behind the next border are the same."""
    before = book(80)
    after = before.replace("number 10.", "number ten, at last.", 1).replace("number 11. ", "", 3)
    old, new = ({part.text for part in text_parts(text)} for text in (before, after))
    assert 1 <= len(new - old) <= 3 and len(old) > 8


def test_code_is_not_cut() -> None:
    """A part with one half of a block would read the other half out."""
    code = "```\n" + "\n\n".join(["x = 1"] * 2000) + "\n```\n\n"
    parts = text_parts(book(6) + "\n\n" + code + book(6))
    assert all(part.text.count("```") in (0, 2) for part in parts)


def test_lines_that_were_broken_for_their_length_are_joined() -> None:
    """Verses, lists, headings and tables stay as they are; no place in the text moves."""
    long = "This line is as long as lines are in books of plain text,"
    text = f"{long}\nand goes on here.\n\nA verse,\nand another.\n\n{long}\n- one\n- two\n# {long}\nText.\n"
    joined = unwrapped(text)
    assert len(joined) == len(text)
    assert joined == text.replace("text,\nand", "text, and", 1)
