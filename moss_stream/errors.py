"""Every error this package raises on purpose, in one tree.

    MossError
    ├── ConfigError (ValueError)        an option is out of range or contradicts another
    ├── TextError (ValueError)          there is nothing to say, or more than the model can hold
    ├── AudioError (ValueError)         a voice reference cannot be used
    ├── MissingDependency (ImportError) an optional library is not installed
    ├── LoadError                       a checkpoint cannot be loaded
    │   ├── ModelNotFound               no such folder or repository, or a file of it is missing
    │   ├── UnsupportedModel            a checkpoint of another model
    │   ├── CorruptCheckpoint           a file is damaged
    │   └── WeightsMismatch             tensors are missing, unknown or of another shape
    ├── StreamError (RuntimeError)      a stream was used in a way it cannot be
    │   ├── StreamConsumed              iterated a second time
    │   ├── NoAudio                     the model spoke nothing for a text that has words
    │   ├── StreamEnded                 text was pushed into a stream that takes no more
    │   └── Overloaded                  too many streams are spoken already
    ├── SynthesizerClosed (RuntimeError) the synthesizer was closed
    ├── EngineError (RuntimeError)      the model failed
    │   └── DeviceFailed                the device failed, and every stream with it
    └── SinkError (RuntimeError)        the place the audio goes to failed

Messages say what is wrong, what was expected and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = [
    "AudioError",
    "ConfigError",
    "CorruptCheckpoint",
    "DeviceFailed",
    "EngineError",
    "LoadError",
    "MissingDependency",
    "ModelNotFound",
    "MossError",
    "NoAudio",
    "Overloaded",
    "SinkError",
    "StreamConsumed",
    "StreamEnded",
    "StreamError",
    "SynthesizerClosed",
    "TextError",
    "UnsupportedModel",
    "WeightsMismatch",
]


class MossError(Exception):
    """The root: catch this to catch everything the package raises on purpose."""


class ConfigError(MossError, ValueError):
    """An option is out of range, or contradicts another one."""


class TextError(MossError, ValueError):
    """There is nothing to say, or more than the model's context can hold."""


class AudioError(MossError, ValueError):
    """A voice reference cannot be used."""


class MissingDependency(MossError, ImportError):
    """An optional library is not installed; the message names the command that installs it."""

    def __init__(self, what: str, extra: str, detail: str = "") -> None:
        super().__init__(
            f"{what}: install it with `pip install moss-stream[{extra}]`.{detail and ' ' + detail}"
        )


class LoadError(MossError):
    """A checkpoint cannot be loaded."""


class ModelNotFound(LoadError):
    """There is no such folder or repository, or a file that belongs to it is missing."""


class UnsupportedModel(LoadError):
    """The checkpoint belongs to another model."""


class CorruptCheckpoint(LoadError):
    """A file of the checkpoint is damaged."""


class WeightsMismatch(LoadError):
    """The tensors of a checkpoint are not those its configuration asks for.

    Attributes:
        missing: Names that the configuration asks for and the files lack.
        unexpected: Names that the files have and the model does not.
        wrong_shape: One line for each tensor of another shape.
    """

    def __init__(
        self, where: str, missing: Iterable[str], unexpected: Iterable[str], wrong_shape: Iterable[str]
    ) -> None:
        self.missing = sorted(missing)
        self.unexpected = sorted(unexpected)
        self.wrong_shape = sorted(wrong_shape)
        parts = [
            _listing("missing", self.missing),
            _listing("unknown", self.unexpected),
            _listing("of another shape", self.wrong_shape),
        ]
        super().__init__(
            f"The weights in {where} do not fit its config.json: {'; '.join(p for p in parts if p)}. "
            "Download the checkpoint again, or check that config.json and the weights belong together."
        )


def _listing(kind: str, names: Sequence[str], shown: int = 12) -> str:
    if not names:
        return ""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return f"{len(names)} {kind} ({', '.join(names[:shown])}{more})"


class StreamError(MossError, RuntimeError):
    """A stream was used in a way it cannot be, or could not do its work."""


class StreamConsumed(StreamError):
    """A stream was iterated a second time."""


class NoAudio(StreamError):
    """The model spoke nothing although the text has words."""


class StreamEnded(StreamError):
    """Text was pushed into a stream that takes no more."""


class Overloaded(StreamError):
    """More streams are spoken, and wait, than can be; try again when some are over.

    Attributes:
        retry_after_s: In about how many seconds there could be room.
    """

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class SynthesizerClosed(MossError, RuntimeError):
    """The synthesizer was closed, or never opened."""


class EngineError(MossError, RuntimeError):
    """The model failed."""


class DeviceFailed(EngineError):
    """The device failed, and every stream with it; close the synthesizer and load again."""


class SinkError(MossError, RuntimeError):
    """The place the audio goes to (a device, a socket, a file) failed."""
