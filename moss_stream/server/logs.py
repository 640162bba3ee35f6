"""What the server writes down: a line for each stream, with figures; its text only if that is wanted."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

from moss_stream.metrics import StreamMetrics
from moss_stream.quote import brief
from moss_stream.server.settings import ServerSettings

__all__ = ["LineFormatter", "config", "log_stream"]

logger = logging.getLogger("moss_stream.server")
_SECRET = re.compile(r"((?:api_key|access_token)=)[^&\s\"']+")


def config(is_json: bool) -> dict[str, Any]:
    """Return a configuration for `logging.config.dictConfig`: everything to standard error."""
    level = {"handlers": ["stderr"], "level": "INFO", "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": LineFormatter, "is_json": is_json}},
        "filters": {"theirs": {"()": lambda: _not_our_fault}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["theirs"]}
        },
        "loggers": {"moss_stream": level, "uvicorn": level},
    }


def log_stream(
    settings: ServerSettings,
    via: str,
    end: str,
    metrics: StreamMetrics | None,
    text: str,
    num_chars: int | None = None,
) -> None:
    """Note how a stream went.

    Args:
        settings: Say whether texts are written down.
        via: The way it came.
        end: How it ended: done, cancelled, or the code of an error.
        metrics: Of the stream; None if it was never started.
        text: All of it that was given; whoever keeps none of it where texts are not written down says how
            much there was.
        num_chars: That.
    """
    fields: dict[str, Any] = {"via": via, "end": end, "chars": len(text) if num_chars is None else num_chars}
    if metrics is not None:
        fields["audio_s"] = round(metrics.audio_s, 2)
        fields["ttfa_ms"] = None if metrics.ttfa_s is None else round(1000 * metrics.ttfa_s)
        fields["rtf"] = None if metrics.rtf is None else round(metrics.rtf, 3)
        fields["underruns"] = metrics.underruns
    if settings.logs_texts:
        fields["text"] = text
    logger.info("stream", extra={"fields": fields})


def _not_our_fault(record: logging.LogRecord) -> bool:
    """Leave out the trace that uvicorn writes when a client sends what is no UTF-8."""
    if record.getMessage().startswith("Invalid UTF-8"):
        record.exc_info = None
        record.levelno, record.levelname = logging.INFO, "INFO"
    return True


class LineFormatter(logging.Formatter):
    """One line for each record, for people or, as JSON, for machines; keys in addresses are left out.

    Args:
        is_json: For machines.
    """

    def __init__(self, is_json: bool = False) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._is_json = is_json

    def format(self, record: logging.LogRecord) -> str:
        """See logging."""
        fields: dict[str, Any] = getattr(record, "fields", {})
        if self._is_json:
            return _SECRET.sub(r"\1…", self._json(record, fields))
        pairs = "".join(f" {name}={json.dumps(value)}" for name, value in fields.items())
        first, *trace = (brief(line) for line in super().format(record).split("\n"))
        return _SECRET.sub(r"\1…", "\n".join([first + pairs, *trace]))

    def _json(self, record: logging.LogRecord, fields: dict[str, Any]) -> str:
        content = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": brief(record.getMessage()),
            **fields,
        }
        if record.exc_info:
            trace = self.formatException(record.exc_info).split("\n")
            content["trace"] = "\n".join(brief(line) for line in trace)
        return json.dumps(content)
