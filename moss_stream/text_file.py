"""Text from files: bounded, in UTF-8, with the line of what is not."""

from __future__ import annotations

from pathlib import Path

from moss_stream.errors import MossError
from moss_stream.quote import quoted

__all__ = ["bounded_text"]


def bounded_text(path: Path, what: str, most_mb: int, kind: type[MossError], advice: str) -> str:
    """Return what is in a file, without a byte order mark, with line breaks as on Unix.

    Args:
        path: Of the file.
        what: It is, for errors.
        most_mb: Megabytes that it may have; no more are read.
        kind: Of the errors.
        advice: What to do with a larger one.

    Raises:
        MossError: Of that kind: it cannot be read, is too large, or is not in UTF-8.
    """
    try:
        with path.open("rb") as file:
            data = file.read((most_mb << 20) + 1)
    except (OSError, ValueError) as error:  # a path with a null character
        why = getattr(error, "strerror", None) or error
        raise kind(f"The {what} {quoted(str(path))} cannot be read ({why}). Give a text file.") from error
    if len(data) > most_mb << 20:
        raise kind(f"{path}: a {what} has at most {most_mb} MB. {advice}")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise kind(f"{path}, line {line}: it is not in UTF-8. Save it as plain text, in UTF-8.") from error
