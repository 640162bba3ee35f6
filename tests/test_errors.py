from __future__ import annotations

import re

import pytest

from moss_stream import errors
from moss_stream.errors import MissingDependency, MossError, WeightsMismatch


@pytest.mark.parametrize("name", errors.__all__)
def test_one_except_clause_catches_everything(name: str) -> None:
    """Every error of the package is caught as a MossError."""
    assert issubclass(getattr(errors, name), MossError)


def test_every_error_is_exported() -> None:
    """No error of the module is left out of what it exports."""
    found = [
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, MossError)
    ]
    assert sorted(found) == sorted(errors.__all__)


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("ConfigError", ValueError),
        ("TextError", ValueError),
        ("AudioError", ValueError),
        ("MissingDependency", ImportError),
        ("NoAudio", RuntimeError),
        ("StreamConsumed", RuntimeError),
        ("SynthesizerClosed", RuntimeError),
        ("EngineError", RuntimeError),
        ("SinkError", RuntimeError),
    ],
)
def test_errors_are_builtin_ones_too(name: str, builtin: type[Exception]) -> None:
    """Code that knows nothing of the package catches its errors as the builtin ones they are."""
    assert issubclass(getattr(errors, name), builtin)


@pytest.mark.parametrize(
    "name", ["ModelNotFound", "UnsupportedModel", "CorruptCheckpoint", "WeightsMismatch"]
)
def test_a_checkpoint_that_does_not_load_is_a_load_error(name: str) -> None:
    """One except clause catches all that can be wrong with a checkpoint."""
    assert issubclass(getattr(errors, name), errors.LoadError)


def test_missing_dependency_names_the_command() -> None:
    """The message is a sentence with the command that installs what is missing."""
    error = MissingDependency("Playing needs sounddevice", "speaker", "Then try again.")
    assert str(error) == (
        "Playing needs sounddevice: install it with `pip install moss-stream[speaker]`. Then try again."
    )
    assert str(MissingDependency("It needs aiortc", "webrtc")).endswith("`pip install moss-stream[webrtc]`.")


def test_weights_mismatch_lists_what_differs() -> None:
    """The message counts and names the tensors, and the attributes hold them in order."""
    error = WeightsMismatch("/models/x", missing={"b", "a"}, unexpected=[], wrong_shape=["c is [2], not [3]"])
    assert error.missing == ["a", "b"] and error.unexpected == []
    assert "/models/x" in str(error) and "2 missing (a, b); 1 of another shape (c is [2], not [3])" in str(
        error
    )
    assert "unknown" not in str(error)


def test_weights_mismatch_stays_readable() -> None:
    """Of hundreds of tensors only the first dozen is named, and all are counted."""
    error = WeightsMismatch("x", [], [f"tensor{i:03}" for i in range(300)], [])
    assert "300 unknown" in str(error) and "tensor011 and 288 more" in str(error)
    assert "tensor012" not in str(error) and len(error.unexpected) == 300


def drawn_tree() -> dict[str, tuple[str, ...]]:
    """The bases of every class, as the drawing in the module's docstring has them."""
    bases: dict[str, tuple[str, ...]] = {}
    parents = ["MossError"]
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"    ([│ ]*)[├└]── (\w+)(?: \((\w+)\))?", line)
        if match:
            depth = len(match[1]) // 4
            parents[depth + 1 :] = [match[2]]
            bases[match[2]] = (parents[depth], *([match[3]] if match[3] else []))
    return bases


def test_tree_is_the_drawn_one() -> None:
    """The drawing tells a reader the truth about what to catch."""
    tree = drawn_tree()
    assert {"MossError", *tree} == set(errors.__all__)
    for name, bases in tree.items():
        assert tuple(base.__name__ for base in getattr(errors, name).__bases__) == bases, name
