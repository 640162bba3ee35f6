from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import ValidationError

from moss_stream import ChannelSampling, ConfigError, EngineOptions, SamplingOptions, SynthesisOptions

NAN = float("nan")


@pytest.mark.parametrize(
    ("kind", "option", "value"),
    [
        (ChannelSampling, "temperature", -0.1),
        (ChannelSampling, "temperature", NAN),
        (ChannelSampling, "temperature", "hot"),
        (ChannelSampling, "top_p", 0.0),
        (ChannelSampling, "top_p", 1.01),
        (ChannelSampling, "top_k", -1),
        (ChannelSampling, "top_k", 2.5),
        (ChannelSampling, "repetition_penalty", 0.0),
        (ChannelSampling, "repetition_penalty", float("inf")),
        (SynthesisOptions, "n_vq", 0),
        (SynthesisOptions, "tokens", -5),
        (SynthesisOptions, "tokens", 0),
        (SynthesisOptions, "seed", -1),
        (SynthesisOptions, "seed", 2**63),
        (SynthesisOptions, "language", 7),
        (SynthesisOptions, "history_s", -1.0),
        (EngineOptions, "text_head", "half"),
        (EngineOptions, "max_context", 63),
        (EngineOptions, "prefill_chunk", 0),
        (EngineOptions, "max_lead_ms", 79),
        *[
            (kind, name, value)
            for kind in (ChannelSampling, SynthesisOptions, EngineOptions)
            for name, field in kind.model_fields.items()
            if field.annotation in (int, float, int | None, float | None)
            for value in (2**63, 2**64, float("inf"), NAN)
        ],
    ],
)
def test_a_bad_value_is_named(kind: type[Any], option: str, value: object) -> None:
    """A value out of range is refused at once, with the option, the value and what is allowed."""
    with pytest.raises(ConfigError) as caught:
        kind(**{option: value})
    assert str(caught.value).startswith(f"{kind.__name__}: {option}={value!r}: Input should")


TEXTS = ["language", "instruction", "quality", "sound_event", "ambient_sound"]


@pytest.mark.parametrize("name", TEXTS)
def test_what_goes_into_the_prompt_has_a_limit(name: str) -> None:
    """Whatever reaches the model's prompt is short, and the refusal quotes only some of it."""
    most = 64 if name == "language" else 2000
    SynthesisOptions().replace(**{name: "x" * most})
    with pytest.raises(ConfigError, match=f"at most {most} characters") as caught:
        SynthesisOptions().replace(**{name: "x" * (most + 1)})
    assert str(caught.value).count("x") <= 80


def test_every_text_of_the_options_has_a_limit() -> None:
    """A new one cannot be forgotten here."""
    fields = SynthesisOptions.model_fields
    texts = [name for name in fields if re.search(r"\bstr\b", str(fields[name].annotation))]
    assert texts == [*TEXTS, "hidden_tags"]


@pytest.mark.parametrize(
    "value", ["A" * 10**6, 10**5000, [["A" * 999] * 999], {"A" * 10**6: 1}, b"\0" * 10**6], ids=range(5)
)
def test_a_refusal_is_short(value: object) -> None:
    """However much was given, also inside options that are part of others."""
    for make in (
        lambda: ChannelSampling().replace(temperature=value),
        lambda: SamplingOptions().replace(audio=[{"top_k": value}] * 500),
        lambda: SynthesisOptions().replace(sampling={"text": value, "A" * 10**5: 1}),
    ):
        with pytest.raises(ConfigError) as caught:
            make()
        assert len(str(caught.value)) <= 1000


def test_a_temperature_is_nothing_or_fits_a_float32() -> None:
    """What would become infinite inside the model is refused; 0 means the most likely value."""
    assert ChannelSampling(temperature=-0.0).temperature == 0.0
    for temperature in (5e-324, 1e-45):
        with pytest.raises(ConfigError, match="most likely"):
            ChannelSampling(temperature=temperature)


@pytest.mark.parametrize("kind", [ChannelSampling, SamplingOptions, SynthesisOptions, EngineOptions])
def test_a_misspelt_option_is_named(kind: type[Any]) -> None:
    """An option that does not exist is refused instead of ignored."""
    with pytest.raises(ConfigError, match=rf"^{kind.__name__}: temprature is not an option\.$"):
        kind(temprature=0.5)


def test_all_that_is_wrong_is_said_at_once() -> None:
    """Two bad options give one sentence with both."""
    with pytest.raises(ConfigError) as caught:
        SynthesisOptions(n_vq=0, tokens=-1)
    assert "n_vq=0" in str(caught.value) and "; tokens=-1" in str(caught.value)


def test_the_text_channel_takes_no_penalty() -> None:
    """A repetition penalty on the text channel, which would do nothing, is refused."""
    with pytest.raises(ConfigError, match=r"^SamplingOptions: .*text channel takes no repetition_penalty"):
        SamplingOptions(text=ChannelSampling(repetition_penalty=1.2))


def test_audio_needs_an_entry() -> None:
    """An empty tuple of channels is refused with a sentence."""
    with pytest.raises(ConfigError, match="audio needs at least one entry"):
        SamplingOptions(audio=())


def test_nested_options_name_the_inner_option() -> None:
    """A bad value inside a nested mapping is a ConfigError that names it."""
    with pytest.raises(ConfigError, match=r"SynthesisOptions: sampling=.*text=.*top_p=2"):
        SynthesisOptions().replace(sampling={"text": {"top_p": 2.0}})


@pytest.mark.parametrize(
    "options", [SynthesisOptions(), EngineOptions(), SamplingOptions(), ChannelSampling()]
)
def test_options_cannot_be_changed(options: SynthesisOptions) -> None:
    """Options that a stream already uses cannot be changed under it; the refusal names the option."""
    name = next(iter(type(options).model_fields))
    before = getattr(options, name)
    with pytest.raises(ValidationError, match=name):
        setattr(options, name, None)
    assert getattr(options, name) == before


def test_replace_makes_a_checked_copy() -> None:
    """A copy has the change and the rest, the original stays, and a bad change is refused."""
    options = SynthesisOptions(seed=3, n_vq=4)
    changed = options.replace(n_vq=8)
    assert (changed.seed, changed.n_vq, options.n_vq) == (3, 8, 4)
    with pytest.raises(ConfigError, match="n_vq=0"):
        options.replace(n_vq=0)
    with pytest.raises(ConfigError, match="speed is not an option"):
        options.replace(speed=2)


def test_replace_keeps_nested_options() -> None:
    """A copy of options with sampling of its own keeps that sampling."""
    sampling = SamplingOptions(audio=(ChannelSampling(top_k=1), ChannelSampling(top_k=2)))
    assert SynthesisOptions(sampling=sampling).replace(seed=1).sampling == sampling


def test_one_entry_holds_for_every_codebook() -> None:
    """A single audio entry is used for each codebook, after the text channel's."""
    sampling = SamplingOptions(audio=ChannelSampling(top_k=9))
    assert [channel.top_k for channel in sampling.channels(3)] == [50, 9, 9, 9]


def test_the_last_entry_holds_for_the_rest() -> None:
    """A tuple is used in order, its last entry for what is left; what is too much is not used."""
    sampling = SamplingOptions(audio=(ChannelSampling(top_k=1), ChannelSampling(top_k=2)))
    assert [channel.top_k for channel in sampling.channels(4)] == [50, 1, 2, 2, 2]
    assert [channel.top_k for channel in sampling.channels(1)] == [50, 1]


def test_defaults_are_the_reference_ones() -> None:
    """Without options the sampling is that of the reference implementation."""
    text, audio = SamplingOptions().channels(1)
    assert (text.temperature, text.top_p, text.top_k, text.repetition_penalty) == (1.5, 1.0, 50, 1.0)
    assert (audio.temperature, audio.top_p, audio.top_k, audio.repetition_penalty) == (1.0, 0.95, 50, 1.1)
