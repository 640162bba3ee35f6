"""Debian packages, unpacked into a folder without being installed."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["NEEDED", "unpack"]

NEEDED = ("flite", "libflite1", "wordnet-base", "fortunes", "fortunes-min", "jargon-text")


def unpack(folder: Path, debs: Path | None = None) -> Path:
    """Return a root folder with the content of the needed packages.

    Args:
        folder: Where to work; what is there already is kept.
        debs: A folder with the .deb files, for a machine without apt; None downloads them.

    Raises:
        subprocess.CalledProcessError: A package cannot be downloaded or unpacked.
    """
    root, source = folder / "root", debs or folder / "debs"
    if (root / ".complete").exists():
        return root
    source.mkdir(parents=True, exist_ok=True)
    if debs is None and not list(source.glob("*.deb")):
        subprocess.run(["apt-get", "download", "--quiet", *NEEDED], cwd=source, check=True)
    for deb in sorted(source.glob("*.deb")):
        subprocess.run(["dpkg", "-x", str(deb), str(root)], check=True)
    (root / ".complete").touch()
    return root
