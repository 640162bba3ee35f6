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
    max_text_chars: int = Field(default=20_000, ge=1)
    max_body_bytes: int = Field(default=16 << 20, ge=1024)
    max_message_bytes: int = Field(default=64 << 10, ge=1024)
    streams_per_key: int = Field(default=8, ge=1)
    max_connections: int = Field(default=1000, ge=1)
    max_calls: int = Field(default=32, ge=0)
    """WebRTC calls that are held at the same time."""
    idle_s: float = Field(default=60.0, gt=0)
    """A connection or call on which nothing comes or goes for this long is closed, with its streams."""
    total_s: float = Field(default=3600.0, gt=0)
    logs_texts: bool = False
    """Write down what is spoken; otherwise only how much."""
    logs_json: bool = False
    """Write a JSON object for each line of the log."""
    voices: Path | None = None
    """Folder for uploaded voices; None: none can be uploaded."""

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
