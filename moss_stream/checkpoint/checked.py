"""What the config files of checkpoints are held to, before anything is allocated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from moss_stream.errors import CorruptCheckpoint
from moss_stream.quote import MAX_QUOTE, brief, complaint

__all__ = ["Checked", "Count", "Positive", "Width", "validated"]

SHOWN_PROBLEMS = 5
"""A config of another model misses dozens of fields; the first ones tell which model it is."""

Width = Annotated[int, Field(gt=0, le=1 << 18)]
"""Of a matrix; the widest of the family's has 12,288."""
Count = Annotated[int, Field(gt=0, le=512)]
"""Of layers, heads, codebooks; the most of the family's is 48."""
Positive = Annotated[float, Field(gt=0, lt=1e30)]


class Checked(BaseModel):
    """A frozen model; what it does not know is left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


C = TypeVar("C", bound=Checked)


def validated(kind: type[C], raw: Mapping[str, Any], where: str) -> C:
    """Return the checked form of a config.json, in which numbers are numbers, no strings or truth values.

    `where` names it in errors.

    Raises:
        CorruptCheckpoint: A field is missing or makes no sense.
    """
    try:
        return kind.model_validate_json(json.dumps(raw), strict=True)
    except (ValidationError, ValueError, RecursionError) as error:
        raise CorruptCheckpoint(f"The config.json of {where} cannot be used: {_why(error)}.") from error


def _why(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return brief(str(error), MAX_QUOTE)
    found = error.errors(include_url=False)
    lines = [f"{'.'.join(map(str, p['loc'])) or 'sizes'}: {complaint(p)}" for p in found[:SHOWN_PROBLEMS]]
    more = len(found) - SHOWN_PROBLEMS
    return "; ".join([*lines, f"and {more} more"] if more > 0 else lines)
