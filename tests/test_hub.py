from __future__ import annotations

import json
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants
from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

from moss_stream import CorruptCheckpoint, LoadError, ModelNotFound
from moss_stream.hub import codec_of, locate, read_json

OLD, NEW = "0" * 40, "f" * 40
USUAL = "org/usual"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub cache without connection that holds two commits of org/name; returns its snapshots."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    repository = tmp_path / "hub" / "models--org--name"
    for commit, refs in ((OLD, ["v1"]), (NEW, ["main"])):
        (repository / "snapshots" / commit).mkdir(parents=True)
        (repository / "snapshots" / commit / "config.json").write_text("{}")
        (repository / "refs").mkdir(exist_ok=True)
        for ref in refs:
            (repository / "refs" / ref).write_text(commit)
    return repository / "snapshots"


def test_a_folder_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A local folder is used without asking the hub, also when it is named like a repository."""
    (tmp_path / "org" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert locate(tmp_path / "org" / "name") == tmp_path / "org" / "name"
    assert locate("org/name") == Path("org/name")


def test_a_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that begins with ~ is looked for in the home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    assert locate("~/models") == tmp_path / "models"


@pytest.mark.parametrize(
    "name",
    ["nothing", "./org/name", "/no/such/folder", "a/b/c", "org/na me", "~nobody-of-that-name/x", "x" * 300],
)
def test_neither_folder_nor_repository(name: str) -> None:
    """A name that is neither says so and quotes the name."""
    with pytest.raises(ModelNotFound, match="There is no folder") as caught:
        locate(name)
    assert name in str(caught.value)


@pytest.mark.parametrize("offline", [True, False])
def test_a_downloaded_repository_is_found_offline(hub: Path, offline: bool) -> None:
    """What was downloaded before is found without a connection, asked for or not."""
    assert locate("org/name", offline=offline) == hub / NEW


@pytest.mark.parametrize(("revision", "commit"), [("main", NEW), ("v1", OLD), (OLD, OLD)])
def test_a_revision_is_found(hub: Path, revision: str, commit: str) -> None:
    """A branch, a tag or a commit picks its own files."""
    assert locate("org/name", revision, offline=True) == hub / commit


@pytest.mark.parametrize("offline", [True, False])
@pytest.mark.parametrize(("name", "revision"), [("org/other", None), ("org/name", "v2")])
def test_what_was_not_downloaded_is_named(hub: Path, name: str, revision: str | None, offline: bool) -> None:
    """Without a connection a repository or revision that is not there gives the command to download it."""
    with pytest.raises(
        ModelNotFound, match=f"^'{name}' was not downloaded before, and this is offline"
    ) as caught:
        locate(name, revision, offline)
    assert f"`moss-stream download {name}`" in str(caught.value)


def test_an_unexpected_error_of_the_hub_is_translated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a download dies of, it is a ModelNotFound that gives the reason."""

    def fail(*args: object, **options: object) -> str:
        raise OSError("No space left on device")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(ModelNotFound, match="'org/name' cannot be downloaded .No space left on device"):
        locate("org/name")


def test_read_json_reads_an_object(tmp_path: Path) -> None:
    """A JSON object is read as UTF-8."""
    (tmp_path / "config.json").write_text('{"name": "声"}', encoding="utf-8")
    assert read_json(tmp_path, "config.json") == {"name": "声"}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A folder without the file is called no checkpoint folder, by name."""
    with pytest.raises(
        ModelNotFound, match=r"has no config\.json, so it is not a checkpoint folder"
    ) as caught:
        read_json(tmp_path, "config.json")
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"{'a': 1}", b'{"a": "\xff"}', b"[" * 100_000])
def test_damaged_json_is_named(tmp_path: Path, content: bytes) -> None:
    """A file that was cut or overwritten is named, with the advice to download it again."""
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(
        CorruptCheckpoint, match=r"config\.json is not valid JSON .*Download the checkpoint again"
    ):
        read_json(tmp_path, "config.json")


@pytest.mark.parametrize("content", ["[]", "1", "null", '"text"'])
def test_json_of_another_kind_is_damaged(tmp_path: Path, content: str) -> None:
    """A file with JSON that is not an object is damaged, too."""
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(CorruptCheckpoint, match=r"config\.json does not hold a JSON object"):
        read_json(tmp_path, "config.json")


def test_an_unreadable_file_is_a_load_error(tmp_path: Path) -> None:
    """Something under that name that cannot be read is a sentence with the path, not an OSError."""
    (tmp_path / "config.json").mkdir()
    with pytest.raises(LoadError, match=r"config\.json cannot be read"):
        read_json(tmp_path, "config.json")


@pytest.mark.parametrize(
    ("config", "codec"),
    [
        ({"audio_tokenizer": {"audio_tokenizer_name_or_path": "org/codec"}}, "org/codec"),
        ({"audio_tokenizer_name_or_path": "org/codec"}, "org/codec"),
        (
            {
                "audio_tokenizer": {"audio_tokenizer_name_or_path": "a/b"},
                "audio_tokenizer_name_or_path": "c/d",
            },
            "a/b",
        ),
        ({"audio_tokenizer": "org/codec"}, USUAL),
        ({"audio_tokenizer": None, "audio_tokenizer_name_or_path": ""}, USUAL),
        ({}, USUAL),
    ],
    ids=["nested", "flat", "nested-first", "not-nested", "empty", "absent"],
)
def test_the_codec_a_checkpoint_names(tmp_path: Path, config: dict[str, object], codec: str) -> None:
    """The codec is the one of the processor config, wherever it stands there, or the usual one."""
    (tmp_path / "processor_config.json").write_text(json.dumps(config))
    assert codec_of(tmp_path, USUAL) == codec


def test_a_checkpoint_without_processor_config(tmp_path: Path) -> None:
    """Its config.json may name a codec; otherwise it is the usual one."""
    assert codec_of(tmp_path, USUAL) == USUAL
    for name, codec in ((None, USUAL), ("org/codec", "org/codec")):
        (tmp_path / "config.json").write_text(json.dumps({"audio_tokenizer_name_or_path": name}))
        assert codec_of(tmp_path, USUAL) == codec
    (tmp_path / "processor_config.json").write_text('{"audio_tokenizer_name_or_path": "a/b"}')
    assert codec_of(tmp_path, USUAL) == "a/b", "the processor config goes first"


@pytest.mark.parametrize("name", ["codec", "../codec", "{absolute}/codec"])
def test_a_codec_folder_is_relative_to_the_checkpoint(tmp_path: Path, name: str) -> None:
    """A folder beside or inside the checkpoint, or an absolute one, is found from any working directory."""
    checkpoint = tmp_path / "model"
    for folder in (checkpoint / "codec", tmp_path / "codec"):
        folder.mkdir(parents=True)
    config = {"audio_tokenizer_name_or_path": name.format(absolute=tmp_path)}
    (checkpoint / "processor_config.json").write_text(json.dumps(config))
    wanted = checkpoint / "codec" if name == "codec" else tmp_path / "codec"
    assert Path(codec_of(checkpoint, USUAL)).resolve() == wanted.resolve()


def test_a_damaged_processor_config_is_named(tmp_path: Path) -> None:
    """A broken processor config is an error rather than another codec."""
    (tmp_path / "processor_config.json").write_text("{")
    with pytest.raises(CorruptCheckpoint, match=r"processor_config\.json is not valid JSON"):
        codec_of(tmp_path, USUAL)


def bare(kind: type[Exception]) -> Exception:
    """An error of the hub's library, whose constructor wants the response of a server."""
    return kind.__new__(kind)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (bare(RepositoryNotFoundError), "has no repository 'a/b', or it is private.*HF_TOKEN"),
        (bare(RevisionNotFoundError), "'a/b' has no revision 'v9'"),
        (bare(LocalEntryNotFoundError), "'a/b' cannot be downloaded: no connection"),
        (OSError("No space left on device"), "'a/b' cannot be downloaded .No space left on device"),
    ],
    ids=["repository", "revision", "connection", "disk"],
)
def test_hub_errors_become_ours(error: Exception, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong at the hub is one sentence with the repository's name in it."""

    def refuse(*_: object, **__: object) -> str:
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(ModelNotFound, match=message) as caught:
        locate("a/b", "v9")
    assert caught.value.__cause__ is error


def test_only_what_is_needed_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A download takes weights, configuration and template, and none of a repository's samples."""
    asked: dict[str, object] = {}

    def download(repository: str, **options: object) -> str:
        asked.update(options, repository=repository)
        return "/cache/folder"

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert locate("a/b", "v1") == Path("/cache/folder")
    assert asked["repository"] == "a/b" and asked["revision"] == "v1"
    assert asked["allow_patterns"] == ["*.json", "*.safetensors", "*.jinja"]
