"""moss-stream makes a language model talk: text deltas in, 80 ms of speech out at a time.

The names below are the public API. Importing the package imports neither torch nor a model.
"""

from __future__ import annotations

from moss_stream.audio import Audio, AudioChunk
from moss_stream.config import ChannelSampling, EngineOptions, SamplingOptions, SynthesisOptions
from moss_stream.conversation import Conversation
from moss_stream.errors import (
    AudioError,
    ConfigError,
    CorruptCheckpoint,
    DeviceFailed,
    EngineError,
    LoadError,
    MissingDependency,
    ModelNotFound,
    MossError,
    NoAudio,
    Overloaded,
    SinkError,
    StreamConsumed,
    StreamEnded,
    StreamError,
    SynthesizerClosed,
    TextError,
    UnsupportedModel,
    WeightsMismatch,
)
from moss_stream.lexicon_file import load_lexicon
from moss_stream.lines import Line
from moss_stream.sinks.file import FileSink
from moss_stream.sinks.playback import Playback, play
from moss_stream.sinks.rebuffer import Rebuffer
from moss_stream.sinks.sink import MemorySink, PlaybackReport, Sink
from moss_stream.sinks.tee import TeeSink
from moss_stream.sinks.wav import WavSink
from moss_stream.stream import SynthesisStream
from moss_stream.synthesizer import StreamingSynthesizer
from moss_stream.text.lexicon import Lexicon
from moss_stream.text.timeline import Spoken, Word
from moss_stream.text.turn import TurnState
from moss_stream.uses import Use
from moss_stream.voice_file import load_voice, save_voice
from moss_stream.voices import Voice

__version__ = "0.1.0"

__all__ = [
    "Audio",
    "AudioChunk",
    "AudioError",
    "ChannelSampling",
    "ConfigError",
    "Conversation",
    "CorruptCheckpoint",
    "DeviceFailed",
    "EngineError",
    "EngineOptions",
    "FileSink",
    "Lexicon",
    "Line",
    "LoadError",
    "MemorySink",
    "MissingDependency",
    "ModelNotFound",
    "MossError",
    "NoAudio",
    "Overloaded",
    "Playback",
    "PlaybackReport",
    "Rebuffer",
    "SamplingOptions",
    "Sink",
    "SinkError",
    "Spoken",
    "StreamConsumed",
    "StreamEnded",
    "StreamError",
    "StreamingSynthesizer",
    "SynthesisOptions",
    "SynthesisStream",
    "SynthesizerClosed",
    "TeeSink",
    "TextError",
    "TurnState",
    "UnsupportedModel",
    "Use",
    "Voice",
    "WavSink",
    "WeightsMismatch",
    "Word",
    "load_lexicon",
    "load_voice",
    "play",
    "save_voice",
]
