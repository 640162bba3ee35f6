"""What a language model writes for others than the listener is not read out."""

from __future__ import annotations

import pytest
from fakes import FakeEngine
from hypothesis import given
from hypothesis import strategies as st
from virtual_time import Lab, give

from moss_stream import ConfigError, SynthesisOptions, TextError
from moss_stream.text.normalizer import Normalizer

HIDDEN = SynthesisOptions().hidden_tags
CASES = [
    ("<think>I should greet. 1 < 2 </thin </think>Hello.", "Hello."),
    ("<THINK>\nhm\n\n</think>\n\n# Hello.", "Hello."),
    ("Hi. <thinking>a</thinking>There <reasoning mode='x'>b</reasoning>you.", "Hi. There you."),
    ('<tool_call>{"a": [1]}</tool_call>Done. <function_call name="f">x</function_call>Yes.', "Done. Yes."),
    ("A stray</think> tag and <think/>one.", "A stray tag and one."),
    ("Before <!-- a --> <b>after</b> <!--> all -->it.", "Before after it."),
    ("Never <think>closed ``` <b> and **so on", "Never "),
    ("a<b and b<c, <thing> stays", "a<b and b<c, <thing> stays"),
    ("So $x$ is $x^2$ or \\(y\\) and \\[\\frac{a}{b}\\]ok $$a + b$$.", "So x is or y and ok a + b."),
    (
        "It is $25, $5 and $10, $5k, $3.50. Or US$ 5 in $.",
        "It is $25, $5 and $10, $5k, $3.50. Or US$ 5 in $.",
    ),
    ("$2x + 1$ and $5$ then $HOME is", "2x + 1 and 5 then $HOME is"),
    ("Hi<think>x</think>you. Wait.<tool_call>{}</tool_call>It is done.", "Hi you. Wait. It is done."),
    ("<think>a</think >Hello. <think\n>b</ think>There.", "Hello. There."),
    ("<think mode='x'>a</think\n>Hello.", "Hello."),
    (
        "Models write `<think>` and `<!--` first. Then they answer.",
        "Models write <think> and <!-- first. Then they answer.",
    ),
    ("`a` <think>b</think> c, and `d\n<think>e</think> f.", "a c, and d\nf."),
    ("A </think not closed, 5 > 3. A </ b.", "A </think not closed, 5 > 3. A </ b."),
    ("<think>They write <think> first.</think>Hello.", "Hello."),
]


def read(*deltas: str) -> str:
    normalizer = Normalizer(HIDDEN)
    return "".join(normalizer.feed(delta).text for delta in deltas) + normalizer.end().text


@pytest.mark.parametrize(("text", "wanted"), CASES)
def test_what_is_not_for_the_listener_is_not_read(text: str, wanted: str) -> None:
    """Wherever the text is cut."""
    assert read(text) == wanted == read(*text)
    for at in range(len(text)):
        assert read(text[:at], text[at:]) == wanted


def test_long_addresses_are_bounded_and_not_read() -> None:
    """However long, only the host or the link's text is; what follows is."""
    tail = "a" * 5000
    for text in (f"See https://moss.dev/{tail} now.", f"See [moss.dev](https://{tail}) now."):
        assert read(text) == "See moss.dev now." == read(*text)
        normalizer = Normalizer()
        assert max((normalizer.feed(c), normalizer.num_held)[1] for c in text) <= 520


PIECES = [
    "<think>",
    "</think>",
    "<",
    "th",
    "ink",
    ">",
    "<!--",
    "--",
    "$",
    "$$",
    "x^2",
    "\\(",
    "\\)",
    "5",
    " a",
    "\n",
    "/",
]


@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join))
def test_the_cut_into_deltas_does_not_matter(text: str) -> None:
    """One character at a time or all at once: the same is read out."""
    assert read(text) == read(*text)


def test_hidden_text_is_dropped_as_it_arrives() -> None:
    """However long it is, nothing of it is kept."""
    normalizer = Normalizer(HIDDEN)
    normalizer.feed("Hi. <think>")
    for _ in range(1000):
        assert not normalizer.feed("This is what I think. </thi").text
        assert normalizer.num_held < 10
    assert normalizer.feed("</think>There.").text == "There."


async def test_a_pause_reads_no_thoughts() -> None:
    """Wherever the text pauses, also within the tags."""
    text = "Well. <think>I must not tell.</think> Of course."
    for at in range(1, len(text)):
        if text[:at].endswith(("<", "<t", "<th")):
            continue  # too little to tell it from a comparison
        lab = Lab(FakeEngine())
        listener = lab.speak()
        for part in (text[:at], text[at:]):
            give(listener.job, part)
            await lab.run(3)
        listener.job.end()
        await lab.run(9, lambda listener=listener: listener.is_done)  # type: ignore[misc]
        assert lab.engine.texts()[-1].rstrip(".") == "Well. Of course", text[:at]
        assert listener.chunks[-1].char_end == len(text)


async def test_nothing_but_thoughts_is_nothing_to_say() -> None:
    """The stream ends with the error that any text without a word has."""
    lab = Lab(FakeEngine())
    listener = lab.speak("<think>Hm. That never ends")
    await lab.run(3, lambda: listener.is_done)
    assert isinstance(listener.error, TextError)


async def test_an_option_says_which_tags() -> None:
    """Others are read as they stand."""
    lab = Lab(FakeEngine())
    listener = lab.speak("<plan>a</plan><think>b</think>Yes.", SynthesisOptions(hidden_tags=("plan",)))
    await lab.run(3, lambda: listener.is_done)
    assert lab.engine.texts()[-1] == "<think>b</think>Yes."
    for bad in (("a b",), ("x" * 41,), ("a",) * 33):
        with pytest.raises(ConfigError):
            SynthesisOptions(hidden_tags=bad)
