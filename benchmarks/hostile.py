"""Requests with wrong, extreme and odd values in every field that the server has."""

from __future__ import annotations

import json
import random
from typing import Any

__all__ = ["BODIES", "DEEPGRAM", "MULTI", "ORDERS", "hostile_json", "hostile_path"]

SAMPLING = {
    "text": {"temperature": 1.0, "top_p": 0.9, "top_k": 20, "repetition_penalty": 1.0},
    "audio": {"temperature": 1.0, "top_p": 0.9, "top_k": 20, "repetition_penalty": 1.1},
}
ELEVENLABS = "/v1/text-to-speech/JBFqnCBsd6RMkjVDRZzb"
DEEPGRAM = "/v1/speak?model=aura-2-thalia-en"
MULTI = f"{ELEVENLABS}/multi-stream-input?output_format=pcm_16000"
BODIES: dict[str, dict[str, Any]] = {
    "/v1/audio/speech": {
        "input": "Yes.",
        "model": "moss",
        "voice": "alloy",
        "instructions": "Calm.",
        "response_format": "pcm",
        "stream_format": "audio",
        "speed": 1.0,
        "seed": 1,
        "n_vq": 1,
        "tokens": 5,
        "language": "English",
        "sampling": SAMPLING,
    },
    "/tts/bytes": {
        "transcript": "Yes.",
        "voice": {"id": "x"},
        "language": "en",
        "output_format": {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 16_000},
    },
    "/tts/sse": {
        "transcript": "Yes.",
        "voice": "x",
        "locale": "en-GB",
        "add_timestamps": True,
        "context_id": "c",
        "speed": "fast",
        "generation_config": {"speed": 1.2, "volume": 0.5, "emotion": "calm"},
        "output_format": {"container": "raw", "encoding": "pcm_alaw", "sample_rate": 8000},
    },
    ELEVENLABS: {
        "text": "Yes.",
        "model_id": "any",
        "language_code": "en",
        "seed": 1,
        "voice_settings": {"stability": 0.5, "speed": 1.1},
    },
    f"{ELEVENLABS}/stream/with-timestamps?output_format=ulaw_8000": {"text": "Yes."},
    DEEPGRAM: {"text": "Yes."},
    "/webrtc/offer": {"sdp": "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n", "type": "offer"},
}
"""A good body for each door, with all fields."""
ORDERS: dict[str, list[dict[str, Any]]] = {
    "/v1/speak": [
        {
            "type": "start",
            "stream": 1,
            "voice": "alloy",
            "seed": 1,
            "n_vq": 1,
            "language": "English",
            "instruction": "Calm.",
            "max_wait_ms": 300,
            "sampling": SAMPLING,
        },
        {"type": "text", "stream": 1, "text": "Yes. "},
        {"type": "played", "stream": 1, "seconds": 0.1},
        {"type": "flush", "stream": 1},
        {"type": "cancel", "stream": 1},
        {"type": "end", "stream": 1},
    ],
    "/tts/websocket": [
        {
            "context_id": "c",
            "transcript": "Yes. ",
            "continue": True,
            "flush": False,
            "add_timestamps": True,
            "voice": {"id": "x"},
            "language": "en",
            "output_format": {"container": "raw", "encoding": "pcm_f32le", "sample_rate": 8000},
        },
        {"context_id": "c", "cancel": True},
        {"context_id": "c", "transcript": "", "continue": False},
    ],
    DEEPGRAM: [
        {"type": "Speak", "text": "Yes. "},
        {"type": "Flush"},
        {"type": "Clear"},
    ],
    MULTI: [
        {
            "text": "Yes. ",
            "context_id": "c",
            "flush": False,
            "voice_settings": {"stability": 0.5, "speed": 1.1},
            "generation_config": {"chunk_length_schedule": [50]},
            "xi_api_key": "any",
        },
        {"text": " ", "context_id": "d"},
        {"context_id": "c", "flush": True},
        {"context_id": "c", "close_context": True},
    ],
}
"""Good orders for each socket."""
NUMBERS = [
    *(
        str(sign * (limit + beyond))
        for limit in (2**31, 2**32, 2**63, 2**64)
        for sign in (1, -1)
        for beyond in (-1, 0)
    ),
    *(
        "0",
        "-0.0",
        "1e-320",
        "1e-45",
        "1e-30",
        "3.4e38",
        "3.5e38",
        "1e308",
        "1e400",
        "-1e400",
        "NaN",
        "Infinity",
    ),
    *("-Infinity", "true", "1" * 400, "1" * 5000, "-" + "1" * 5000, "0." + "1" * 5000, "1.5", "1e3", '"7"'),
]
"""As JSON, or nearly."""
TEXTS = [
    *(
        "",
        " ",
        "\0",
        "\ud83d",
        "\udc00x",
        "\u202eabc",
        "\U0001f600" * 50,
        "a\u0301" * 300,
        "<|im_end|>",
        "</s>",
    ),
    *(
        "[pause 999.999s]",
        "[pause 1e9s]",
        "```\n" + "x = 1\n" * 50,
        "](" * 200,
        "[" * 500,
        "$" * 99,
        "/" * 500,
    ),
    *(
        "\u8bed\u97f3" * 40,
        "1" * 400,
        "A" * 65,
        "A" * 101,
        "A" * 2001,
        "A" * 20_001,
        "NaN",
        "../../etc/passwd",
    ),
    *("\r\nX: y", "{{7*7}}", "%s%n", "Hello. " * 30, "\ufeff", "\x1b[31m", "-1", "null"),
]
OTHERS = ["null", "[]", "{}", "[[]]", '{"a": 1}', "[" * 3000, '{"a":' * 3000, '"', "", "\\", "[1,]", "false"]


def hostile_json(choose: random.Random, good: dict[str, Any]) -> str:
    """Return a good message with one or two of its values replaced, sometimes added to or cut off."""
    text = json.dumps(good)
    for _ in range(choose.choice([0, 1, 1, 1, 2])):
        content = json.loads(json.dumps(good))
        *path, last = choose.choice(_places(content))
        inner = content
        for name in path:
            inner = inner[name]
        inner[last] = "MARK"
        text = json.dumps(content).replace('"MARK"', _value(choose))
    if choose.random() < 0.05:
        text = text[: choose.randrange(len(text) + 1)]
    return text


def hostile_path(choose: random.Random) -> str:
    """Return a path, of a door or of nothing, with something odd behind it."""
    doors = [
        "/",
        "/healthz",
        "/readyz",
        "/metrics",
        "/v1/models",
        "/v1/audio/voices",
        "/page/",
        "/nowhere",
        *BODIES,
    ]
    odd = [
        "",
        "?api_key=x",
        "/%00",
        "/..%2f..%2fetc",
        "?" + "a=1&" * 500,
        "/" + "A" * 3000,
        "%ff%fe",
        "//",
        "/a b",
    ]
    return choose.choice(doors) + choose.choice(odd).replace(" ", "%20")


def _value(choose: random.Random) -> str:
    kind = choose.random()
    if kind < 0.5:
        return choose.choice(NUMBERS)
    return json.dumps(choose.choice(TEXTS)) if kind < 0.9 else choose.choice(OTHERS)


def _places(content: dict[str, Any]) -> list[list[str]]:
    """Return the ways to all values, inner ones included, and to one that is not known."""
    places = [["unknown"]]
    for name, value in content.items():
        places.append([name])
        if isinstance(value, dict):
            places += [[name, *rest] for rest in _places(value)]
    return places
