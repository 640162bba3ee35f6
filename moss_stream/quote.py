"""How messages quote what was given: briefly, whatever it was."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any

__all__ = ["brief", "complaint", "quoted"]

MAX_QUOTE = 80
"""Characters of any quoted value: enough to recognise it, and no way to make a server send megabytes back."""
MAX_MESSAGE = 1_000
"""Characters of a whole message, which may quote several values."""


class _Repr(reprlib.Repr):
    """Looks at the ends of long values only, so that quoting one costs nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = MAX_QUOTE

    def repr_int(self, x: int, level: int) -> str:
        """Python refuses to write down integers of more than 4,300 digits."""
        return repr(x) if x.bit_length() < 256 else f"an integer of {x.bit_length()} bits"

    def repr_bytes(self, x: bytes, level: int) -> str:
        """The beginning is enough: all of it would be written down first, and then cut."""
        return repr(x[:MAX_QUOTE])


_repr = _Repr()


def quoted(value: object) -> str:
    """Return the representation of a value, shortened to 80 characters."""
    return brief(_repr.repr(value), MAX_QUOTE)


def brief(text: str, most: int = MAX_MESSAGE) -> str:
    """Return a text, or its beginning and its end if it is longer than `most` characters."""
    if len(text) <= most:
        return text
    tail = most // 3
    return f"{text[: most - tail - 1]}…{text[len(text) - tail :]}"


def complaint(problem: Mapping[str, Any]) -> str:
    """Return the sentence of one of pydantic's errors, without the input that it may repeat."""
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "union_tag_invalid":
        tag = str(problem["ctx"]["tag"])
        message = message.replace(tag, brief(tag, MAX_QUOTE))
    return brief(message).removesuffix(".")
