"""What a loaded model can be asked for, checked before it costs anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moss_stream.config import MAX_PROMPT_TEXT
from moss_stream.errors import AudioError, ConfigError
from moss_stream.quote import quoted
from moss_stream.uses import Use

if TYPE_CHECKING:
    from moss_stream.config import SynthesisOptions
    from moss_stream.engine.protocol import EngineInfo
    from moss_stream.voices import Voice

__all__ = ["check_description", "check_options", "check_use", "check_voice"]

_FITTING = {
    Use.SPEECH: "MOSS-TTS, Local or Realtime",
    Use.DIALOGUE: "MOSS-TTSD",
    Use.VOICE_DESIGN: "MOSS-VoiceGenerator",
    Use.SOUND: "MOSS-SoundEffect",
}
PROMPT_WORDS = ("tokens", "instruction", "quality", "sound_event", "ambient_sound")
"""Options that only a prompt with fields for them can say; a language is heard from the text itself."""


def check_options(options: SynthesisOptions, info: EngineInfo) -> None:
    """Refuse what the model cannot do.

    Raises:
        ConfigError: It has fewer codebooks, or needs more, does not know the options, or cannot read how the
            lexicon gives a word.
    """
    if options.n_vq is not None and options.n_vq > info.num_codebooks:
        raise ConfigError(
            f"n_vq={options.n_vq}, but this model has {info.num_codebooks} codebooks. "
            f"Give 1 to {info.num_codebooks}, or None for all."
        )
    if options.first_n_vq is not None and not info.is_delayed:
        raise ConfigError(
            f"first_n_vq={options.first_n_vq}: this model makes all codebooks of a frame at once, so audio "
            "would begin no earlier. Leave it out, or give n_vq for a faster, rougher voice."
        )
    if info.needs_all_codebooks and options.n_vq not in (None, info.num_codebooks):
        raise ConfigError(
            f"n_vq={options.n_vq}: this model was trained with all of its {info.num_codebooks} codebooks and "
            "needs them. Leave n_vq out."
        )
    phonetic = None if options.lexicon is None else options.lexicon.phonetic
    if phonetic is not None and not info.reads_phonetics:
        raise ConfigError(
            f"{phonetic.where}: {quoted(phonetic.word)} is given in IPA or pinyin "
            f"({quoted(phonetic.spelling)}), which this model was not trained to read. Spell it in letters "
            "as it sounds, or load MOSS-TTS or MossTTSLocal."
        )
    if info.is_incremental:
        _check_incremental(options)


def check_use(use: Use, info: EngineInfo) -> None:
    """Refuse a kind of order that the model was not trained for.

    Raises:
        ConfigError: It was not.
    """
    if use not in info.uses:
        able = ", ".join(sorted(info.uses))
        raise ConfigError(f"This model was trained for {able}, not for {use}. Load {_FITTING[use]}.")


def check_description(description: str) -> None:
    """Refuse what cannot stand in a prompt as the description of a voice or a sound.

    Raises:
        ConfigError: It is empty, or too long.
    """
    if not isinstance(description, str) or not description.strip():
        raise ConfigError("There is no description. Say in some words what it should sound like.")
    if len(description) > MAX_PROMPT_TEXT:
        raise ConfigError(
            f"The description has {len(description):,} characters; give at most {MAX_PROMPT_TEXT:,}."
        )


def check_voice(voice: Voice, info: EngineInfo) -> None:
    """Refuse a voice of another codec; one that has more codebooks than the model uses is cut for it.

    Raises:
        AudioError: It has too few codebooks, or its codec another rate.
    """
    again = "it was encoded for another model. Encode its recording again with this synthesizer."
    most = info.codec_codebooks or info.num_codebooks
    if not info.num_codebooks <= voice.codes.shape[1] <= most:
        raise AudioError(
            f"The voice has {voice.codes.shape[1]} codebooks, this model {info.num_codebooks}: {again}"
        )
    if voice.sample_rate not in (None, info.sample_rate):
        raise AudioError(
            f"The voice is for a codec of {voice.sample_rate} Hz, this model's has {info.sample_rate} Hz: "
            f"{again}"
        )


def _check_incremental(options: SynthesisOptions) -> None:
    """Refuse what a model that reads its text while it speaks does not know."""
    unknown = [name for name in PROMPT_WORDS if getattr(options, name) is not None]
    if unknown:
        raise ConfigError(
            f"{', '.join(unknown)}: this model takes its manner from the dialogue and has no such words in "
            "its prompt. Leave them out, or load MossTTSLocal."
        )
