"""Full stops that end no sentence."""

from __future__ import annotations

import re

__all__ = ["may_end_sentence"]

# Titles and the like: always followed by more of the same sentence.
_ALWAYS = frozenset(
    "mr mrs ms dr prof rev hon gen col capt lt sgt st ste mt fig vol ch sec pp approx cf vs viz no nr ca bzw"
    " evtl ggf inkl zzgl str hr fr frl mme mlle mgr sra srta dña av núm pág ej sig avv dott ing dhr mevr"
    " bijv blz tzv ul prof hab inż tzw ok г ул им стр рис см тел тыс млн".split()
)
# May stand at the end of a sentence too: what follows decides.
_OFTEN = frozenset(
    "etc usw inc ltd co corp jr sr jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat"
    " sun dept est min max tel itd itp др".split()
)
_DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]$")
_NUMBER = re.compile(r"(?:^|[^\d.,])\d{1,2}$")
_WORD = re.compile(r"[^\W\d_]+$")


def may_end_sentence(before: str, after: str) -> bool:
    """Tell whether a full stop between two texts may end a sentence.

    Args:
        before: The text up to the full stop, without it; some words are enough.
        after: The first character after the white space that follows; empty at the end of the text.
    """
    goes_on = after.islower() or after.isdigit()
    if _DOTTED.search(before):  # "e.g." and "p.m."; after "U.S." most often a name follows
        return not goes_on and not before[-1].isupper()
    if _NUMBER.search(before):  # "3. Mai", "1. First"
        return after == ""
    word = _WORD.search(before)
    if word is None:
        return True
    if word[0].lower() in _ALWAYS or (len(word[0]) == 1 and word[0].isupper() and word[0] != "I"):
        return after == ""
    return not (word[0].lower() in _OFTEN and goes_on)
