from __future__ import annotations

import random
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_data import GOLDEN, cases, expected
from torch import Tensor

from moss_stream.config import ChannelSampling, EngineOptions, SamplingOptions, SynthesisOptions
from moss_stream.engine.load import load_engine
from moss_stream.engine.protocol import FrameKind
from moss_stream.engine.speech_engine import SpeechEngine
from moss_stream.errors import ConfigError, CorruptCheckpoint, TextError, UnsupportedModel
from moss_stream.families.tokenizer import ChatTokenizer
from moss_stream.nn.ops import TorchOps
from moss_stream.text.message import Message
from tests.engine.test_generator import SETTINGS


def engine(options: EngineOptions | None = None) -> SpeechEngine:
    return load_engine(GOLDEN / "local", GOLDEN / "cat", "cpu", "float32", options or EngineOptions())


def test_a_segment_from_text_to_pcm() -> None:
    """The golden clone case, from message to samples, is what the parts give."""
    made = engine(EngineOptions(text_head="full"))
    case = next(case for case in cases() if case.name == "clone")
    made.open(2, SETTINGS["greedy.k8"])
    assert made.begin(2, made.prompt(case.message, case.prefix)) == 4096 - 109
    assert [made.prefill(2), made.prefill(2)] == [False, True], "what all texts share, and the text"
    wanted = expected("local")["clone.greedy.k8"]
    frames = [made.step([2])[0] for _ in range(len(wanted))]
    np.testing.assert_array_equal(np.stack([frame.codes for frame in frames]), wanted[:, 1:].numpy())
    assert all(len(frame.pcm) == 3840 for frame in frames)
    assert made.info.num_codebooks == 8 and "float32" in made.info.description


def test_text_beyond_the_context_is_an_error() -> None:
    """A text that cannot fit says how much room there is."""
    made = engine(EngineOptions(max_context=256))
    made.open(0, SynthesisOptions())
    with pytest.raises(TextError, match="256"):
        made.prompt(Message(text="word " * 200), None)
    with pytest.raises(TextError, match="too long"):
        made.prompt(Message(text="Hello.", tokens=300), None)
    assert made.begin(0, made.prompt(Message(text="Hello."), None)) > 0


@pytest.mark.parametrize("tokens", [None, 10])
def test_a_text_that_cannot_fit_is_refused_before_it_is_tokenized(
    tokens: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Megabytes of text cost nothing but the look at their length."""
    made = engine(EngineOptions(max_context=256))
    monkeypatch.setattr(ChatTokenizer, "encode", None)  # whoever tokenizes fails
    with pytest.raises(TextError, match="too long"):
        made.prompt(Message(text="word " * 1_000_000, tokens=tokens), None)


def test_encoding_gives_the_models_codebooks() -> None:
    """A recording becomes one row of codes for each whole frame."""
    codes = engine().encode(expected("cat")["wav.ragged"].numpy())
    np.testing.assert_array_equal(codes, expected("cat")["ragged.codes"][:7].numpy())


def test_the_wrong_codec_is_named(tmp_path: Path) -> None:
    """A codec with other codebooks than the model speaks is refused."""
    import json

    import torch
    from safetensors.torch import load_file, save_file

    shutil.copytree(GOLDEN / "cat", tmp_path / "cat")
    config = json.loads((tmp_path / "cat" / "config.json").read_text())
    config["quantizer_kwargs"]["num_quantizers"] = 4
    (tmp_path / "cat" / "config.json").write_text(json.dumps(config))
    tensors = load_file(tmp_path / "cat" / "model.safetensors")
    kept = {
        n: t
        for n, t in tensors.items()
        if not n.startswith(tuple(f"quantizer.quantizers.{i}." for i in range(4, 8)))
    }
    assert all(isinstance(t, torch.Tensor) for t in kept.values())
    save_file(kept, tmp_path / "cat" / "model.safetensors")
    with pytest.raises(UnsupportedModel, match="4 codebooks of 64, the model speaks 8"):
        load_engine(GOLDEN / "local", tmp_path / "cat", "cpu", "float32", EngineOptions())
    with pytest.raises(UnsupportedModel, match="not a codec"):
        load_engine(GOLDEN / "local", GOLDEN / "local", "cpu", "float32", EngineOptions())
    with pytest.raises(ConfigError, match="dtype"):
        load_engine(GOLDEN / "local", GOLDEN / "cat", "cpu", "int4", EngineOptions())


def golden_with_sampling(folder: Path, sampling: str) -> Path:
    """A checkpoint that says how it wants to be sampled."""
    shutil.copytree(GOLDEN / "local", folder)
    (folder / "sampling.json").write_text(sampling)
    return folder


def spoken(made: SpeechEngine, options: SynthesisOptions) -> list[list[int]]:
    """The codes of the first frames of a text."""
    made.open(0, options)
    made.begin(0, made.prompt(Message(text="Hello."), None))
    while not made.prefill(0):
        pass
    return [made.step([0])[0].codes.tolist() for _ in range(4)]


def test_a_model_says_how_it_wants_to_be_sampled(tmp_path: Path) -> None:
    """Its sampling.json holds for streams that do not say; what a stream says goes first."""
    greedy = '{"text": {"temperature": 0}, "audio": {"temperature": 0}}'
    model = golden_with_sampling(tmp_path / "model", greedy)
    made = load_engine(model, GOLDEN / "cat", "cpu", "float32", EngineOptions())
    assert spoken(made, SynthesisOptions(seed=1)) == spoken(made, SynthesisOptions(seed=2))
    own = SynthesisOptions(seed=1, sampling=SamplingOptions())
    assert spoken(made, own) == spoken(engine(), SynthesisOptions(seed=1))


def test_a_model_says_whether_it_reads_ipa(tmp_path: Path) -> None:
    """Its family says it otherwise."""
    model = golden_with_sampling(tmp_path / "model", '{"reads_phonetics": false}')
    made = [
        load_engine(each, GOLDEN / "cat", "cpu", "float32", EngineOptions())
        for each in (model, GOLDEN / "local")
    ]
    assert [each.info.reads_phonetics for each in made] == [False, True]


@pytest.mark.parametrize(
    "sampling", ['{"audio": {"temperature": -1}}', '{"voice": 1}', "[]", '{"reads_phonetics": 1}']
)
def test_a_damaged_sampling_file_is_named(tmp_path: Path, sampling: str) -> None:
    """What is no sampling options is an error that names the file."""
    model = golden_with_sampling(tmp_path / "model", sampling)
    with pytest.raises(CorruptCheckpoint, match=r"sampling\.json"):
        load_engine(model, GOLDEN / "cat", "cpu", "float32", EngineOptions())


GREEDY = SamplingOptions(text=ChannelSampling(temperature=0.0), audio=ChannelSampling(temperature=0.0))
STREAMS = [
    (Message(text=f"Text number {number}, " + "again " * number, reference=voice), options)
    for number, (voice, options) in enumerate(
        (voice, SynthesisOptions(seed=seed, n_vq=n_vq, sampling=sampling))
        for seed, (voice, n_vq, sampling) in enumerate(
            (voice, n_vq, sampling)
            for voice in (None, [case.prefix for case in cases() if case.prefix is not None][:1])
            for n_vq, sampling in ((8, None), (3, None), (8, GREEDY), (5, None))
        )
    )
]


class Failing(TorchOps):
    """Operations that pass a test, and fail in the model."""

    def attend(self, *arguments: Any) -> Tensor:
        raise OSError("out of resource: shared memory")


def test_kernels_that_fail_with_the_model_are_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning when it is loaded, and PyTorch computes; what fails with PyTorch is an error."""
    monkeypatch.setattr("moss_stream.engine.load.choose_ops", lambda device, dtype: Failing())
    made = engine(EngineOptions(max_context=256, compiled=False))
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1 and "fail with this model (out of resource: shared memory)" in warnings[0]
    assert len(made.step([0])) == 1
    monkeypatch.setattr(TorchOps, "attend", Failing.attend)
    with pytest.raises(OSError, match="out of resource"):
        engine(EngineOptions(max_context=256, compiled=False))


FRAMES = 6
COMPANY = EngineOptions(max_context=256, prefill_chunk=32, fixed_batch=True)


@cache
def shared_engine() -> SpeechEngine:
    return engine(COMPANY)


def start(made: SpeechEngine, slot: int, number: int) -> None:
    """Begin stream `number`, its prompt not yet in the cache."""
    message, options = STREAMS[number]
    made.open(slot, options)
    made.begin(slot, made.prompt(message, None))


@cache
def alone(made: SpeechEngine, number: int) -> list[tuple[list[int], bytes]]:
    """The codes and samples of a stream that nobody disturbs."""
    start(made, 0, number)
    while not made.prefill(0):
        pass
    return [(frame.codes.tolist(), frame.pcm) for _ in range(FRAMES) for frame in made.step([0])]


@pytest.mark.parametrize("seed", [0, 1, 2, *(pytest.param(n, marks=pytest.mark.ci) for n in range(3, 20))])
def test_streams_do_not_touch_each_other(seed: int) -> None:
    """Ten random schedules each: joins, cancels, pauses and reused slots change no code of any stream."""
    speak_in_company(shared_engine(), seed)


def speak_in_company(made: SpeechEngine, seed: int) -> None:
    """Speak all streams in random schedules; each must be what it is alone."""
    wanted = {number: alone(made, number) for number in range(len(STREAMS))}
    choose = random.Random(seed)
    for _ in range(10):
        waiting = choose.sample(range(len(STREAMS)), len(STREAMS))
        prompts, speaking = dict[int, int](), dict[int, tuple[int, int]]()
        while waiting or prompts or speaking:
            free = [slot for slot in range(8) if slot not in prompts and slot not in speaking]
            if waiting and free and choose.random() < 0.5:
                slot = choose.choice(free)
                prompts[slot] = waiting.pop()
                start(made, slot, prompts[slot])
            elif prompts and choose.random() < 0.5:
                slot = choose.choice(list(prompts))
                if made.prefill(slot):
                    speaking[slot] = prompts.pop(slot), 0
            elif speaking:
                slots = sorted(choose.sample(list(speaking), choose.randint(1, len(speaking))))
                for slot, frame in zip(slots, made.step(slots), strict=True):
                    number, count = speaking.pop(slot)
                    assert frame.codes.tolist() == wanted[number][count][0], (number, count)
                    ours, theirs = (
                        np.frombuffer(pcm, "<i2").astype(int) for pcm in (frame.pcm, wanted[number][count][1])
                    )
                    assert np.abs(ours - theirs).max() <= 1
                    if (
                        count + 1 < FRAMES and frame.kind is FrameKind.AUDIO and choose.random() > 0.03
                    ):  # else: cancelled
                        speaking[slot] = number, count + 1
