"""How the functions of this package are compiled: once for each CPU, without the interpreter's lock."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from numba import njit

__all__ = ["compiled", "inner"]

F = TypeVar("F", bound=Callable[..., object])


def _digest() -> str:
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]


_DIGEST = _digest()


def compiled(function: F) -> F:
    """Compile `function` on its first call, and keep the result on disk for the next process.

    Numba keys its cache by the file that a function stands in, but the machine code also holds what the
    function calls. So the name under which it is kept carries a digest of the whole package.

    Arithmetic is left as written (no `fastmath`): sums are taken in the order of the source on every CPU.
    """
    return _compiled(function, is_inner=False)


def inner(function: F) -> F:
    """Compile what only compiled functions call: without the code that takes Python's arguments."""
    return _compiled(function, is_inner=True)


def _compiled(function: F, is_inner: bool) -> F:
    function.__qualname__ = f"{function.__qualname__}_{_DIGEST}"
    made: F = njit(
        cache=True, nogil=True, error_model="numpy", no_cpython_wrapper=is_inner, no_cfunc_wrapper=True
    )(function)
    return made
