from __future__ import annotations

import importlib
import re
from pathlib import Path

import moss_stream
from moss_stream import errors

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


def test_the_changelog_names_this_version() -> None:
    """Changelog and package agree on the version."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {moss_stream.__version__}" in changelog


def test_every_module_has_a_test_file() -> None:
    """One test file for each module, so that a reader finds what holds it."""
    other_names = {
        "models/config": "model_config",
        "engine/local": "local_engine",
        "kernels/ops": "kernel_ops",
        "models/cat_layers": "cat",
        "models/cat_config": "model_config",
        "models/checked": "model_config",
        "cli_bench": "cli",
        "cli_options": "cli",
        "cli_serve": "run",
        "server/answers": "speech",
        "server/call": "calls",
        "server/cartesia_bytes": "cartesia",
        "server/cartesia_shapes": "cartesia",
        "server/dialogue": "speak",
        "server/health": "app",
        "server/messages": "speak",
        "server/models": "app",
        "server/session": "speak",
        "server/sockets": "speak",
        "server/state": "speech",
        "server/voices": "server_voices",
        "server/voice_store": "server_voices",
        "__init__": "exports",
        **{f"cpu/{part}": "cpu" for part in ("elementwise", "jit", "linear", "sampling", "vectors")},
        **{f"cpu/{part}": "compiled" for part in ("attention", "build", "build_codec", "codec")},
        **{f"cpu/{part}": "compiled" for part in ("qwen", "ring", "rows")},
    }
    without = {"engine/protocol"}  # types only
    for path in [*(ROOT / "moss_stream").rglob("*.py"), *(ROOT / "adapters").glob("*.py")]:
        module = str(path.relative_to(ROOT)).removeprefix("moss_stream/")[:-3]
        if module in without or (path.name == "__init__.py" and module != "__init__"):
            continue
        name = other_names.get(module, path.stem)
        assert (ROOT / "tests" / f"test_{name}.py").is_file(), f"no test file for {module}"
