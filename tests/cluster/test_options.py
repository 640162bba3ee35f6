from __future__ import annotations

import pytest
from pydantic import ValidationError

from moss_stream.cluster.options import ClusterOptions
from moss_stream.config import EngineOptions
from moss_stream.server.settings import ServerSettings


def test_options_travel_as_json() -> None:
    """As Serve keeps them; keys are never among them."""
    options = ClusterOptions(
        engine=EngineOptions(max_streams=4),
        server=ServerSettings(voices="s3://bucket/voices"),
        max_replicas=4,
    )
    assert ClusterOptions.model_validate_json(options.model_dump_json()) == options


def test_keys_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several, with spaces between them."""
    monkeypatch.setenv("MOSS_API_KEY", "first-key second-key")
    assert ClusterOptions().settings().api_keys == ("first-key", "second-key")
    monkeypatch.delenv("MOSS_API_KEY")
    assert ClusterOptions().settings().api_keys == ()


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"min_replicas": 3, "max_replicas": 2}, "below min_replicas"),
        ({"server": {"wyoming": "tcp://127.0.0.1:1"}}, "one process"),
        ({"replicas": 3}, "Extra inputs"),
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, object], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        ClusterOptions.model_validate(given)
