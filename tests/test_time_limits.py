"""What a hanging test does to a run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from limits import HANG_S

ROOT = Path(__file__).parent.parent
HANGING = """
import asyncio, threading

def test_one_that_hangs():
    threading.Event().wait()

async def test_one_whose_loop_hangs():
    await asyncio.Event().wait()

async def test_one_whose_thread_hangs():
    await asyncio.to_thread(threading.Event().wait, 3)

def test_one_that_is_wrong():
    assert 1 == 2

def test_one_that_is_right():
    pass
"""


def test_a_test_that_hangs_does_not_end_the_run(tmp_path: Path) -> None:
    """It fails with its name, and so do the others that fail; what comes later is still run."""
    (tmp_path / "test_hanging.py").write_text(HANGING)
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path)]
    options = ["-p", "no:cacheprovider", "--timeout", "1", "-rfEp", str(tmp_path)]
    environment = {key: value for key, value in os.environ.items() if key != "PYTEST_ADDOPTS"}
    run = subprocess.run(
        [*command, *options], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=HANG_S
    )
    assert "4 failed, 1 passed" in run.stdout, run.stdout + run.stderr
    for name in ("that_hangs", "whose_loop_hangs", "whose_thread_hangs", "that_is_wrong"):
        assert f"FAILED test_hanging.py::test_one_{name}" in run.stdout


def test_limits_are_minutes(pytestconfig: pytest.Config) -> None:
    """A slow machine reaches none of them; the last resort comes after all others."""
    limit_s, last_s = (float(pytestconfig.getini(name)) for name in ("timeout", "faulthandler_timeout"))
    assert HANG_S >= 60 and limit_s > 2 * HANG_S and last_s > limit_s
