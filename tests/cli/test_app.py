from __future__ import annotations

import json
import shutil
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import FakeEngine, synthesizer_on
from golden_data import GOLDEN
from moss_stream.adapters import speaker
from typer.testing import CliRunner, Result

import moss_stream
from moss_stream import Audio, MemorySink, StreamingSynthesizer
from moss_stream.cli.app import app

MODEL = ["--model", str(GOLDEN / "local"), "--codec", str(GOLDEN / "cat"), "--tokens", "4"]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the sound library, in a folder of its own, on a wide console."""
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    """Run the command line in this process."""
    return CliRunner().invoke(app, list(arguments), input=stdin)


def failure(*arguments: str) -> str:
    """Run a command that must fail as every error of ours does; return its last line."""
    result = run(*arguments)
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit)
    *before, line = result.stderr.splitlines()
    assert line.startswith("error: ") and before == []
    return line


def frames_of(path: Path) -> int:
    """How many frames of 80 ms a recording has; it must be mono at 24 kHz."""
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 24_000)
        whole, rest = divmod(file.getnframes(), 1920)
    assert rest == 0
    return whole


def test_say_writes_a_wav(tmp_path: Path) -> None:
    """A text becomes a recording, and one line tells how long it is and how long it took."""
    result = run("say", "Hello there.", *MODEL, "-o", "a.wav", "--n-vq", "4", "--language", "English")
    assert result.exit_code == 0, result.output
    frames = frames_of(tmp_path / "a.wav")
    assert frames > 0 and f"{frames * 0.08:.2f} s of speech" in result.stderr
    assert "Writing a.wav" in result.stderr and result.stdout == ""


def test_without_a_model_the_embedded_voice_speaks(tmp_path: Path) -> None:
    """One line says what speaks and how to name a larger model; its voices have names."""
    result = run("say", "Hello there.", "-o", "a.wav", "--voice", "awb", "--n-vq", "2")
    assert result.exit_code == 0, result.output
    assert frames_of(tmp_path / "a.wav") > 4
    assert "embedded voice" in result.stderr and "OpenMOSS-Team" in result.stderr
    assert all(name in run("voices").stdout for name in ("rms", "slt", "awb"))


def test_say_reads_standard_input(tmp_path: Path) -> None:
    """The same text from standard input sounds the same, and goes to speech.wav by default."""
    assert run("say", "Grüße.", *MODEL, "-o", "a.wav").exit_code == 0
    result = run("say", "-", *MODEL, stdin="Grüße.".encode())
    assert result.exit_code == 0 and "Writing speech.wav" in result.stderr
    assert (tmp_path / "speech.wav").read_bytes() == (tmp_path / "a.wav").read_bytes()


def test_another_seed_sounds_different(tmp_path: Path) -> None:
    """The seed decides what is said."""
    for seed in ("1", "2"):
        assert run("say", "Hi.", *MODEL, "--seed", seed, "-o", f"{seed}.wav").exit_code == 0
    assert (tmp_path / "1.wav").read_bytes() != (tmp_path / "2.wav").read_bytes()


def test_a_text_may_begin_with_a_dash(tmp_path: Path) -> None:
    """After -- a text with a dash is a text."""
    result = run("say", *MODEL, "-o", "a.wav", "--", "-1 degrees.")
    assert result.exit_code == 0 and frames_of(tmp_path / "a.wav") > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "no/such/model/here"], "There is no folder 'no/such/model/here'"),
        (["--model", str(GOLDEN), "--codec", str(GOLDEN / "cat")], "has no config.json"),
        ([*MODEL, "--n-vq", "0"], "n_vq=0"),
        ([*MODEL, "--n-vq", "99"], "99"),
        ([*MODEL, "--tokens", "-1"], "tokens=-1"),
        ([*MODEL, "--device", "abacus"], "device='abacus'"),
        ([*MODEL, "--dtype", "int3"], "dtype='int3'"),
        ([*MODEL, "--voice", "none.wav"], "There is no file 'none.wav'"),
        ([*MODEL, "-o", "none/a.wav"], "'none/a.wav' cannot be written"),
    ],
)
def test_an_error_is_one_sentence(arguments: list[str], message: str) -> None:
    """Whatever is wrong is said in one line without a traceback, and the exit code is 1."""
    assert message in failure(
        "say", "Hello.", *(arguments if "-o" in arguments else [*arguments, "-o", "a.wav"])
    )


@pytest.mark.parametrize("text", ["", " \n"])
def test_nothing_to_say(text: str) -> None:
    """A text without words is an error, not an empty recording."""
    assert "nothing to say" in failure("say", text, *MODEL, "-o", "a.wav")


@pytest.mark.parametrize(("text", "voice"), [("", []), ("Hello.", ["--voice", "nobody.wav"])])
def test_an_earlier_recording_outlives_a_failure(tmp_path: Path, text: str, voice: list[str]) -> None:
    """What cannot be spoken neither touches the file nor says that it is written, and leaves nothing."""
    (tmp_path / "good.wav").write_bytes(b"an earlier recording")
    result = run("say", text, *MODEL, *voice, "-o", "good.wav")
    assert result.exit_code == 1 and "Writing" not in result.stderr
    assert (tmp_path / "good.wav").read_bytes() == b"an earlier recording"
    assert [file.name for file in tmp_path.iterdir()] == ["good.wav"]


def test_an_unknown_voice_names_those_there_are() -> None:
    """A name that is neither a voice nor a file is answered with the voices."""
    line = failure_of_embedded("say", "Hello.", "--voice", "nobody", "-o", "a.wav")
    assert "'nobody'" in line and "a voice of this model: rms, slt, awb" in line


def failure_of_embedded(*arguments: str) -> str:
    """The last line of a command that fails with the embedded voice, which announces itself before."""
    result = run(*arguments)
    assert result.exit_code == 1 and "Traceback" not in result.stderr
    return result.stderr.splitlines()[-1]


def test_version_and_debug() -> None:
    """The version is printed; a traceback is shown before the sentence only when it is asked for."""
    assert run("--version").stdout == f"moss-stream {moss_stream.__version__}\n"
    asked = run("--debug", "voices", "--model", "no/such/model")
    assert "Traceback" in asked.stderr and asked.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in run("voices", "--model", "no/such/model").stderr


def test_without_a_network_an_error_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every command that looks for a model; the cause is kept for who asks with --debug."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for command in (("say", "Hello."), ("voices",), ("serve",), ("bench",)):
        result = run(*command, "--model", "some-org/some-model")
        *_, last = result.stderr.splitlines()
        assert result.exit_code == 1 and last.startswith("error: 'some-org/some-model'"), command
        assert "Traceback" not in result.output
    assert "Traceback" in run("--debug", "voices", "--model", "some-org/some-model").stderr


def test_play_without_the_library() -> None:
    """Asked to play where the library is missing, the error gives the command that installs it."""
    assert "pip install moss-stream[speaker]" in failure("say", "Hello.", *MODEL, "--play")


def test_without_a_loudspeaker_a_file_is_written(tmp_path: Path) -> None:
    """Not asked to play, a missing loudspeaker is only noted, and the file is written."""
    result = run("say", "Hello.", *MODEL)
    assert result.exit_code == 0 and "Not played: " in result.stderr
    assert frames_of(tmp_path / "speech.wav") > 0


def test_doctor_shows_the_machine() -> None:
    """The table has the version, the device that would be chosen, and what is missing for sound."""
    result = run("doctor")
    assert result.exit_code == 0
    for word in (moss_stream.__version__, "GiB free", "device ", "moss-stream[speaker]"):
        assert word in result.stdout


def test_download_of_a_folder_prints_its_codec(tmp_path: Path) -> None:
    """A local checkpoint that names a codec folder gives both folders, one a line."""
    model = tmp_path / "model"
    (model / "codec").mkdir(parents=True)
    (model / "config.json").write_bytes((GOLDEN / "local" / "config.json").read_bytes())
    (model / "processor_config.json").write_text(json.dumps({"audio_tokenizer_name_or_path": "codec"}))
    result = run("download", str(model))
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [str(model), str(model / "codec")]


def test_download_of_a_codec_prints_its_folder() -> None:
    """A codec needs no other codec."""
    result = run("download", str(GOLDEN / "cat"))
    assert result.exit_code == 0 and result.stdout == f"{GOLDEN / 'cat'}\n"


def test_download_refuses_other_models(tmp_path: Path) -> None:
    """A checkpoint that could not be run is refused before its codec is fetched."""
    (tmp_path / "config.json").write_text('{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}')
    assert "Supported: " in failure("download", str(tmp_path))


def test_the_installed_command(tmp_path: Path) -> None:
    """The program itself fails with one line on standard error, and without importing torch for it."""
    code = "import sys, moss_stream.cli.app as cli\ntry: cli.main()\nfinally: print('torch' in sys.modules)"
    command = [sys.executable, "-c", code, "download", str(tmp_path / "none")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1 and result.stdout == "False\n"
    assert result.stderr.startswith("error: There is no folder") and result.stderr.count("\n") == 1


def spoken(path: Path) -> bytes:
    with wave.open(str(path), "rb") as file:
        return file.readframes(file.getnframes())


@pytest.mark.parametrize(
    ("arguments", "is_played", "files"),
    [
        ([], True, ["speech.wav"]),
        (["-o", "a.wav"], False, ["a.wav"]),
        (["--play"], True, []),
        (["--play", "-o", "a.wav"], True, ["a.wav"]),
        (["--no-play"], False, ["speech.wav"]),
    ],
    ids=["default", "output", "play", "both", "no-play"],
)
def test_say_goes_where_it_was_asked_to(
    arguments: list[str], is_played: bool, files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a loudspeaker the options decide between it, a file and both; all get the same sound."""
    loudspeaker = MemorySink()

    def opened(sample_rate: int, channels: int) -> MemorySink:
        assert (sample_rate, channels) == (24_000, 1), "as the embedded voice has it"
        return loudspeaker

    monkeypatch.setattr(speaker.SpeakerSink, "open", opened)
    result = run("say", "Hello there.", *MODEL, *arguments)
    assert result.exit_code == 0, result.output
    assert bool(loudspeaker.pcm) is is_played
    assert ("RTF" in result.output) is not is_played  # a loudspeaker sets the pace
    assert [path.name for path in tmp_path.iterdir()] == files
    for name in files if is_played else []:
        assert spoken(tmp_path / name) == bytes(loudspeaker.pcm)


def test_say_takes_a_voice(tmp_path: Path) -> None:
    """A recording changes how the same text with the same seed is said."""
    samples = np.random.default_rng(0).integers(-9000, 9000, 24_000).astype(np.int16)
    Audio(samples).save(tmp_path / "voice.wav")
    arguments = ["say", "Hello there.", *MODEL, "-o"]
    assert run(*arguments, "a.wav").exit_code == 0
    assert run(*arguments, "b.wav", "--voice", "voice.wav").exit_code == 0
    assert spoken(tmp_path / "a.wav") != spoken(tmp_path / "b.wav")


def test_interrupt_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends the program without a traceback, with the code a shell expects."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(StreamingSynthesizer, "load", interrupted)
    result = run("say", "Hello", *MODEL, "-o", "a.wav")
    assert result.exit_code == 130
    assert "Traceback" not in result.output


def test_voices_of_a_model_are_listed(tmp_path: Path) -> None:
    """A model's voices have a name, a description and a length; a model without any says so."""
    assert "clone one" in run("voices", "--model", str(GOLDEN / "local")).stdout
    assert "no folder" in failure("voices", "--model", "./nowhere")
    listed = run("voices", "--model", str(with_a_voice(tmp_path))).stdout
    assert all(part in listed for part in ("ann", "a woman", "0.4 s"))


def test_a_voice_is_named_or_recorded(tmp_path: Path) -> None:
    """--voice takes a name that comes with the model, else a file; what is neither is an error."""
    arguments = ["--model", str(with_a_voice(tmp_path)), *MODEL[2:], "-o", "a.wav"]
    assert run("say", "Good morning.", *arguments, "--voice", "ann").exit_code == 0
    assert "nobody.wav" in failure("say", "Good morning.", *arguments, "--voice", "nobody.wav")


def with_a_voice(folder: Path) -> Path:
    """The golden checkpoint with a named voice."""
    model = shutil.copytree(GOLDEN / "local", folder / "model")
    voices = {"ann": {"description": "a woman", "codes": [[1] * 8] * 5}}
    (model / "voices.json").write_text(json.dumps(voices))
    return model


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """`moss-stream bench` on a fake engine, with a language model in a hurry; what it was loaded with."""
    loaded: dict[str, Any] = {}

    async def load(model: object, **options: Any) -> StreamingSynthesizer:
        loaded.update(options)
        return await synthesizer_on(FakeEngine(frames_per_segment=2, max_streams=64), options["options"])

    monkeypatch.setattr(StreamingSynthesizer, "load", load)
    return loaded


FAST = ["--tokens-per-s", "100000", "--stall-share", "0"]


def test_bench_tells_who_waited(bench: dict[str, Any], tmp_path: Path) -> None:
    """A row for each number of streams and codebooks; figures and a plot in files."""
    result = run("bench", *FAST, "--streams", "1,2", "--n-vq", "2,4", "--max-streams", "3", "-o", "b.json")
    assert result.exit_code == 0, result.output
    runs = json.loads((tmp_path / "b.json").read_text())["runs"]
    found = [(each["load"]["options"]["n_vq"], each["streams"]) for each in runs]
    assert found == [(2, 1), (2, 2), (4, 1), (4, 2)]
    assert (tmp_path / "b.png").is_file() and "C100" in result.stdout
    assert bench["options"].max_streams == 3 and bench["device"] == "auto"


def test_bench_for_a_gpu(bench: dict[str, Any], tmp_path: Path) -> None:
    """Up to 64 streams with 8, 16 and 32 codebooks on CUDA, unless other numbers are given."""
    result = run("bench", *FAST, "--gpu", "--n-vq", "2")
    assert result.exit_code == 0, result.output
    runs = json.loads((tmp_path / "bench.json").read_text())["runs"]
    assert [each["streams"] for each in runs] == [1, 8, 16, 32, 64]
    assert bench["options"].max_streams == 64 and bench["device"] == "cuda"


@pytest.mark.parametrize("option", ["--streams", "--n-vq"])
def test_bench_wants_numbers(option: str) -> None:
    """What is no list of numbers is said, with an example."""
    assert f"{option} '1,x' is not a list of numbers" in failure("bench", option, "1,x")
