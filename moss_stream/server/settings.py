"""What the server may do, and for whom."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["ServerSettings", "is_loopback"]


class ServerSettings(BaseModel):
    """Safe unless told otherwise: loopback only, and limits on everything a client sends."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    api_keys: tuple[str, ...] = ()
    """Any of them opens the server; none: it is open, which is only allowed on loopback."""
    is_open: bool = False
    """Bind to another address although there is no key."""
    origins: tuple[str, ...] = ()
    """Web pages of these origins may use the server (CORS)."""
    max_text_chars: int = Field(default=20_000, ge=1, le=1_000_000)
    """Of one request; of a stream on a socket, the text that waits to be spoken."""
    max_turn_chars: int = Field(default=1_000_000, ge=1, le=100_000_000)
    """All that is written into one stream on a socket, code and thoughts that are never read out included: as
    much as a language model with a context of 250,000 tokens can write."""
    max_body_bytes: int = Field(default=16 << 20, ge=1024, le=1 << 30)
    """Of an upload; other bodies hold a text and options, and have a smaller limit that follows from them."""
    max_message_bytes: int = Field(default=64 << 10, ge=1024, le=16 << 20)
    streams_per_key: int | None = Field(default=None, ge=1, le=65_536)
    """None: with several keys each may have as many streams as the engine speaks at once."""
    max_connections: int = Field(default=1000, ge=1, le=1_000_000)
    """Requests and sockets that are served at the same time; idle connections make room for them."""
    max_calls: int = Field(default=32, ge=0, le=65_536)
    """WebRTC calls that are held at the same time."""
    idle_s: float = Field(default=60.0, gt=0, le=86_400, allow_inf_nan=False)
    """A connection or call on which nothing comes or goes for this long is closed, with its streams."""
    stall_s: float = Field(default=10.0, gt=0, le=86_400, allow_inf_nan=False)
    """A client that falls so far behind in reading loses its stream when others wait for a slot. A player
    that reads 64 KiB of MP3 at a time asks for more every 8 s."""
    total_s: float = Field(default=3600.0, gt=0, le=604_800, allow_inf_nan=False)
    logs_texts: bool = False
    """Write down what is spoken; otherwise only how much."""
    logs_json: bool = False
    """Write a JSON object for each line of the log."""
    wyoming: str | None = None
    """Where Wyoming's clients are served too, such as tcp://127.0.0.1:10200; they have no keys."""
    voices: str | Path | None = None
    """Folder for uploaded voices, or an address that fsspec knows (s3://bucket/voices); servers may share it.
    None: none can be uploaded."""

    @property
    def max_json_bytes(self) -> int:
        """The largest body that is not an upload, in bytes.

        It holds a text, each character escaped in twelve (a surrogate pair), and 64 KiB of everything else.
        """
        return min(self.max_body_bytes, 12 * self.max_text_chars + (64 << 10))

    @model_validator(mode="after")
    def _is_safe(self) -> ServerSettings:
        if not self.api_keys and not self.is_open and not is_loopback(self.host):
            raise ValueError(
                f"{self.host} can be reached from other machines. Give an API key, or say that it is open"
            )
        if any(len(key) < 8 for key in self.api_keys):
            raise ValueError("an API key needs at least 8 characters")
        return self


def is_loopback(host: str) -> bool:
    """Tell whether an address or name can only mean this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
