"""The JSON schema of the messages of `WS /v1/speak`: `python -m moss_stream.server.speak.schema`."""

from __future__ import annotations

import json
from typing import Any

from moss_stream.server.speak.messages import FROM_CLIENT, TO_CLIENT

__all__ = ["protocol_schema"]


def protocol_schema() -> dict[str, Any]:
    """Return the schema: what a client sends, and what it is sent."""
    client = FROM_CLIENT.json_schema(mode="validation")
    server = TO_CLIENT.json_schema(mode="serialization")
    definitions = client.pop("$defs") | server.pop("$defs")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Messages of WS /v1/speak",
        "$defs": {**definitions, "FromClient": client, "FromServer": server},
        "anyOf": [{"$ref": "#/$defs/FromClient"}, {"$ref": "#/$defs/FromServer"}],
    }


if __name__ == "__main__":
    print(json.dumps(protocol_schema(), indent=1))  # noqa: T201
