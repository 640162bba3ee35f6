from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from golden_data import GOLDEN
from limits import HANG_S

from moss_stream import Audio

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def put_into_cache(cache: Path, repository: str, source: Path) -> None:
    """Lay a checkpoint into a hub cache as if it had been downloaded."""
    home = cache / f"models--{repository.replace('/', '--')}"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("0" * 40)
    shutil.copytree(source, home / "snapshots" / ("0" * 40))


def test_the_code_blocks_run(tmp_path: Path) -> None:
    """A reader can paste the README's programs; a small checkpoint stands in for the large one."""
    cache = tmp_path / "hub"
    put_into_cache(cache, "OpenMOSS-Team/MOSS-TTS-Local-Transformer", GOLDEN / "local")
    put_into_cache(cache, "OpenMOSS-Team/MOSS-Audio-Tokenizer", GOLDEN / "cat")
    tone = (np.sin(np.arange(48_000) * 0.05) * 8000).astype(np.int16)
    Audio(tone).save(tmp_path / "reference.wav")
    program = "\n".join(BLOCKS)
    environment = {**os.environ, "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "1"}
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=HANG_S,
    )
    assert run.returncode == 0, run.stderr
    assert len(BLOCKS) == 3
    assert (tmp_path / "speech.wav").stat().st_size > 44 and (tmp_path / "cloned.wav").stat().st_size > 44


def test_the_readme_is_short() -> None:
    """It fits on two screens."""
    assert len(README.splitlines()) < 150
