"""The compiled loops are taken where they are right and pay, and PyTorch everywhere else."""

from __future__ import annotations

import logging
import sys

import pytest
import torch
from golden_data import CPU, GOLDEN, model
from torch import nn

from moss_stream.config import EngineOptions, SynthesisOptions
from moss_stream.engine import choose_compute
from moss_stream.engine.compiled import CompiledCompute
from moss_stream.engine.load import load_engine
from moss_stream.engine.runner import EagerCompute
from moss_stream.engine.speech_engine import SpeechEngine
from moss_stream.errors import ConfigError
from moss_stream.text.message import Message

SIZE = 1 << 20
AUTO = EngineOptions()


def load(dtype: str = "auto", **options: object) -> SpeechEngine:
    settings = AUTO.replace(max_streams=1, max_context=256, **options)
    return load_engine(GOLDEN / "local", GOLDEN / "cat", "cpu", dtype, settings)


def wants(options: EngineOptions = AUTO, device: torch.device = CPU, size: int = SIZE) -> bool:
    config = model().config.language_config
    return choose_compute.wants_compiled(device, torch.float32, options, config, size)


def first_codes(engine: SpeechEngine) -> list[int]:
    engine.open(0, SynthesisOptions(seed=4))
    engine.begin(0, engine.prompt(Message(text="Hello."), None))
    while not engine.prefill(0):
        pass
    return [int(code) for code in engine.step([0])[0].codes]


def test_a_small_model_is_compiled_and_its_matrices_are_given_up() -> None:
    """With the default options; it says so, and holds its weights once."""
    made = load()
    assert isinstance(made.compute, CompiledCompute)
    assert made.info.description.endswith("on cpu in float32, compiled")
    left = [part.weight.numel() for part in made.generator._model.modules() if isinstance(part, nn.Linear)]
    assert not any(left)
    assert first_codes(made) == first_codes(load(compiled=False))


def test_other_number_formats_and_options_are_pytorchs() -> None:
    """Half precision and 8 bits are not what the loops compute in."""
    assert isinstance(load(compiled=False).compute, EagerCompute)
    assert isinstance(load(dtype="float16").compute, EagerCompute)
    assert not wants(EngineOptions(depth_int8=True)) and not wants(EngineOptions(backbone_int8=True))
    assert not wants(device=torch.device("cuda"))


@pytest.mark.parametrize(
    ("options", "dtype", "message"),
    [
        ({"depth_int8": True}, "auto", "depth_int8"),
        ({"backbone_int8": True}, "auto", "backbone_int8"),
        ({}, "bfloat16", "float32"),
        ({}, "float16", "float32"),
    ],
)
def test_what_cannot_be_is_an_error(options: dict[str, object], dtype: str, message: str) -> None:
    """Asked for by name, it is not left out in silence."""
    with pytest.raises(ConfigError, match=message):
        load(dtype, compiled=True, **options)


def test_without_numba_pytorch_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine for which there is no Numba is slower, not broken."""
    for name in [name for name in sys.modules if name.startswith("moss_stream.cpu")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "numba", None)
    assert not wants()
    with pytest.raises(ConfigError, match="pip install numba"):
        wants(EngineOptions(compiled=True))


def test_a_large_model_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond what one thread is best for, the faster of the two is taken."""
    for ours_s, theirs_s in ((1.0, 2.0), (2.0, 1.0)):
        times = iter([ours_s, theirs_s])
        monkeypatch.setattr(choose_compute, "_seconds", lambda work, times=times: (work(), next(times))[1])
        assert wants(size=1 << 40) is (ours_s < theirs_s)


@pytest.mark.parametrize("fault", ["wrong", "broken"])
def test_what_computes_something_else_is_not_used(
    fault: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A trial on the model itself decides; then PyTorch computes as if nothing had been tried."""

    def frame(self: CompiledCompute, shape: object) -> None:
        if fault == "broken":
            raise RuntimeError("illegal instruction")

    monkeypatch.setattr(CompiledCompute, "frame", frame)
    with caplog.at_level(logging.WARNING):
        made = load()
    assert isinstance(made.compute, EagerCompute)
    assert "PyTorch computes, which is slower" in caplog.text
    assert ("illegal instruction" in caplog.text) == (fault == "broken")
    monkeypatch.undo()
    assert first_codes(made) == first_codes(load(compiled=False))
