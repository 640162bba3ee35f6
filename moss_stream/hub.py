"""Where a checkpoint's files are: a local folder, or a repository on the Hugging Face hub."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from moss_stream.errors import CorruptCheckpoint, LoadError, ModelNotFound
from moss_stream.quote import brief

__all__ = ["codec_of", "locate", "read_json"]

_FILES = ["*.json", "*.safetensors", "*.jinja"]
MAX_WHY = 200
"""Characters of the hub's own message: it names the address; what follows is for its developers."""
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


def locate(model: str | Path, revision: str | None = None, offline: bool = False) -> Path:
    """Return the folder of a checkpoint, downloading it to the hub's cache if need be.

    Blocks while it downloads, with a progress bar on standard error.

    Args:
        model: A folder, or a repository id such as "OpenMOSS-Team/MOSS-TTS-Local-Transformer".
        revision: A branch, tag or commit of the repository; None takes the newest.
        offline: Use only what was downloaded before (as does the environment's HF_HUB_OFFLINE=1).

    Raises:
        ModelNotFound: There is no such folder or repository, or it cannot be reached.
    """
    try:
        folder = Path(model).expanduser()
        if folder.is_dir():
            return folder
    except (OSError, RuntimeError) as error:  # longer than a path may be; a home of nobody
        raise ModelNotFound(f"There is no folder {str(model)!r} ({error}). Give another one.") from error
    if not _REPOSITORY.fullmatch(str(model)) or str(model).startswith("."):
        raise ModelNotFound(
            f"There is no folder {str(model)!r}, and it is not a repository id either. "
            "Give a folder with config.json, or an id such as OpenMOSS-Team/MOSS-TTS-Local-Transformer."
        )
    return _download(str(model), revision, offline)


def _download(repository: str, revision: str | None, offline: bool) -> Path:
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        path = snapshot_download(
            repository, revision=revision, local_files_only=offline, allow_patterns=_FILES
        )
    except RevisionNotFoundError as error:
        raise ModelNotFound(f"The repository {repository!r} has no revision {revision!r}.") from error
    except RepositoryNotFoundError as error:
        raise ModelNotFound(
            f"The hub has no repository {repository!r}, or it is private. Check the name; for a private one, "
            "set HF_TOKEN."
        ) from error
    except LocalEntryNotFoundError as error:
        is_offline = offline or constants.HF_HUB_OFFLINE
        why = (
            "was not downloaded before, and this is offline"
            if is_offline
            else "cannot be downloaded: no connection"
        )
        raise ModelNotFound(
            f"{repository!r} {why}. Run `moss-stream download {repository}` on a machine with a connection, "
            "or give a local folder."
        ) from _alone(error)
    except Exception as error:  # what else it raises differs between versions of the library
        why = brief(str(error).partition("\n")[0] or type(error).__name__, MAX_WHY)
        raise ModelNotFound(
            f"{repository!r} cannot be downloaded ({why}). Try again, or give a local folder."
        ) from _alone(error)
    return Path(path)


def _alone(error: Exception) -> Exception:
    """Return an error of the hub's library without the chain of connections that it was made of.

    Printed, that is a hundred lines about sockets, none of which says more than the last one.
    """
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """Read a JSON object from a checkpoint's folder.

    Raises:
        ModelNotFound: The file is not there.
        CorruptCheckpoint: It is not a JSON object.
        LoadError: The file cannot be read.
    """
    path = folder / name
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelNotFound(
            f"{folder} has no {name}, so it is not a checkpoint folder. "
            "Give the folder that holds config.json and the safetensors files, "
            "or a hub repository id such as OpenMOSS-Team/MOSS-TTS-Local-Transformer."
        ) from error
    except OSError as error:
        raise LoadError(f"{path} cannot be read ({error.strerror}). Check the rights of the file.") from error
    except (ValueError, RecursionError) as error:
        raise CorruptCheckpoint(
            f"{path} is not valid JSON ({error}). Download the checkpoint again."
        ) from error
    if not isinstance(value, dict):
        raise CorruptCheckpoint(f"{path} does not hold a JSON object. Download the checkpoint again.")
    return value


def codec_of(model: Path, usual: str) -> str | Path:
    """Return the codec that a checkpoint names: a folder or repository id.

    Its processor config names one, or its config.json. A path there is relative to the checkpoint.

    Args:
        model: Folder of the checkpoint.
        usual: The codec of models of its family, if it names none.

    Raises:
        CorruptCheckpoint: A config is not valid JSON, or what it names cannot be a path.
    """
    for file in ("processor_config.json", "config.json"):
        name = _named_codec(read_json(model, file)) if (model / file).is_file() else None
        if name is not None:
            return _beside(model, name, file)
    return usual


def _named_codec(config: dict[str, Any]) -> str | None:
    nested = config.get("audio_tokenizer")
    name = nested.get("audio_tokenizer_name_or_path") if isinstance(nested, dict) else None
    name = name or config.get("audio_tokenizer_name_or_path")
    return str(name) if name else None


def _beside(model: Path, name: str, file: str) -> str | Path:
    try:
        return model / name if (model / name).is_dir() else name
    except (OSError, ValueError) as error:  # longer than a path may be
        raise CorruptCheckpoint(f"The codec that {model / file} names cannot be a path ({error}).") from error
