from __future__ import annotations

import importlib
import re
import tomllib
from pathlib import Path

import moss_stream
from moss_stream import errors

# They need a cluster: `make test-ray`.
ON_RAY = "deployment", "peers", "replica", "router", "run"
CPU_FUNCTIONS = "elementwise", "jit", "linear", "sampling", "vectors"
CPU_NETWORKS = "attention", "build", "build_codec", "codec", "qwen", "ring", "rows"
ROOT = Path(__file__).parent.parent


def test_the_public_names_are_sorted_complete_and_there() -> None:
    """`__all__` is sorted and everything in it exists; the main names are in it."""
    assert moss_stream.__all__ == sorted(moss_stream.__all__)
    assert all(hasattr(moss_stream, name) for name in moss_stream.__all__)
    assert {"StreamingSynthesizer", "SynthesisStream", "AudioChunk", "SynthesisOptions"} <= set(
        moss_stream.__all__
    )


def test_every_error_is_public_and_in_the_drawn_tree() -> None:
    """All errors are exported, descend from MossError and stand in the tree of the docstring."""
    assert set(errors.__all__) <= set(moss_stream.__all__)
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), moss_stream.MossError)
        assert re.search(rf"\b{name}\b", errors.__doc__ or "")


def test_public_names_have_docstrings() -> None:
    """Each public name explains itself."""
    assert all(getattr(moss_stream, name).__doc__ for name in moss_stream.__all__ if name != "Reference")


def test_adapters_install_under_the_package() -> None:
    """The adapters are moss_stream.adapters, and no top-level package takes their name."""
    assert importlib.import_module("moss_stream.adapters.speaker").SpeakerSink


def test_the_wheel_has_every_package() -> None:
    """A folder that is not listed works in a clone, and is missing where it was installed."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"][
        "packages"
    ]
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "moss_stream").rglob("__init__.py")}
    assert {".".join(folder.parts) for folder in folders} | {"moss_stream.adapters"} == set(listed)


def test_the_changelog_names_this_version() -> None:
    """Changelog and package agree on the version."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {moss_stream.__version__}" in changelog


def test_every_module_has_a_test_file() -> None:
    """One test file for each module, so that a reader finds what holds it."""
    elsewhere = {
        "__init__": "test_exports",
        "checkpoint/checked": "families/local/test_config",
        "cli/options": "cli/test_app",
        "cli/family_table": "cli/test_diagnosis",
        "cli/serve": "server/test_run",
        "cli/bench": "cli/test_app",
        "codec/config": "checkpoint/test_damaged_checkpoint",
        "codec/formats": "codec/test_cat_v2",
        "codec/layers": "codec/test_cat",
        "codec/load": "checkpoint/test_reader",
        "codec/weights": "checkpoint/test_plan",
        "engine/defaults": "engine/test_speech_engine",
        "engine/load": "engine/test_speech_engine",
        "option_checks": "test_realtime",
        "families/row_config": "families/local_v15/test_config",
        "families/frame_prompts": "families/local/test_prompt",
        "families/catalog": "cli/test_diagnosis",
        "families/chat_prompts": "families/delay/test_prompt",
        "families/delay/config": "families/test_family",
        "families/delay/family": "families/test_family",
        "families/delay/load": "families/delay/test_network",
        "families/delay/pattern": "families/delay/test_network",
        "families/delay/weights": "families/delay/test_network",
        "families/local/family": "families/test_family",
        "families/local/load": "checkpoint/test_reader",
        "families/local/weights": "checkpoint/test_plan",
        "families/local_v15/family": "families/test_family",
        "families/local_v15/load": "families/local_v15/test_network",
        "families/local_v15/weights": "families/local_v15/test_network",
        "families/realtime/family": "families/test_family",
        "families/realtime/load": "families/realtime/test_network",
        "families/realtime/weights": "families/realtime/test_network",
        "families/network": "families/local/test_network",
        "families/row_network": "families/local/test_network",
        "nn/config": "families/local/test_config",
        "nn/pre_norm": "families/local_v15/test_depth",
        "nn/weights": "checkpoint/test_plan",
        "adapters/ray_serve": "ray/test_cluster",
        **{
            f"cluster/{part}": "ray/test_cluster"
            for part in ("connect", "deployment", "peers", "replica", "router", "run")
        },
        "cluster/batch": "ray/test_batch",
        "cluster/target": "cluster/test_placing",
        "server/cartesia/shapes": "server/cartesia/test_websocket",
        "server/deepgram/errors": "server/deepgram/test_requests",
        "server/deepgram/speaker": "server/deepgram/test_websocket",
        "server/elevenlabs/context_socket": "server/elevenlabs/test_websocket",
        "server/elevenlabs/shapes": "server/elevenlabs/test_speech",
        "server/http/answers": "server/openai/test_speech",
        "server/http/health": "server/test_app",
        "server/openai/audio_request": "server/openai/test_speech",
        "server/openai/models": "server/test_app",
        "server/routes": "server/test_app",
        "server/session": "server/speak/test_websocket",
        "server/sockets": "server/speak/test_websocket",
        "server/speak/call": "server/speak/test_calls",
        "server/speak/message_handler": "server/speak/test_websocket",
        "server/speak/messages": "server/speak/test_websocket",
        "server/state": "server/openai/test_speech",
        "server/wyoming/handler": "server/wyoming/test_port",
        "server/wyoming/info": "server/wyoming/test_port",
        "server/voice_store": "server/test_voice_shelf",
        "server/remote_shelf": "server/test_voice_shelf",
        "server/stored_voice": "server/test_voice_shelf",
        "text/limits": "test_inbox",
        "text/message": "families/local/test_prompt",
        "text/script": "text/test_turn",
        "text/segmented": "text/test_turn",
        "uses": "test_sounds_and_voices",
        **{f"cpu/{part}": "cpu/test_cpu" for part in CPU_FUNCTIONS},
        **{f"cpu/{part}": "cpu/test_compiled" for part in CPU_NETWORKS},
        "engine/compiled": "cpu/test_compiled",
    }
    without = {"engine/protocol"}  # types only
    for path in [*(ROOT / "moss_stream").rglob("*.py"), *(ROOT / "adapters").glob("*.py")]:
        module = str(path.relative_to(ROOT)).removeprefix("moss_stream/")[:-3]
        if module in without or (path.name == "__init__.py" and module != "__init__"):
            continue
        folder, _, stem = module.rpartition("/")
        wanted = elsewhere.get(module, f"{folder}/test_{stem}".removeprefix("/"))
        assert (ROOT / "tests" / f"{wanted}.py").is_file(), f"no tests/{wanted}.py for {module}"
