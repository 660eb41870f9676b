"""The model server's log, on standard error: one line per event, as text or as JSON with the gateway's fields."""

import json
import logging
import sys
from datetime import UTC, datetime

from contract.plain_text import plain_text
from modelserver.settings import ModelServerSettings

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_OURS = ("modelserver", "contract", "graft")
_MISSING = "lines of this log that are missing here because they could not be written: {}"


class JsonFormatter(logging.Formatter):
    """Makes a line of JSON of a record: `event`, `logger`, `level`, `timestamp`, and `exception` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        event = _event(record.getMessage(), record.name, record.levelname.lower(), record.created)
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        return json.dumps(event)


class _OneLine(logging.Formatter):
    """Formats a message as one line: names of models and errors of graphs are text, and control no terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        record.message = plain_text(record.message)
        return super().formatMessage(record)


def set_up_logs(settings: ModelServerSettings) -> None:
    """Log to standard error. What libraries say below a warning is only written at debug."""
    handler = logging.StreamHandler(sys.stderr)
    text = _OneLine("%(asctime)s %(levelname)s %(message)s")
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else text)
    level = _LEVELS[settings.log_level]
    libraries = level if level == logging.DEBUG else max(level, logging.WARNING)
    logging.basicConfig(level=libraries, handlers=[handler])
    for name in _OURS:
        logging.getLogger(name).setLevel(level)


def missing_lines(settings: ModelServerSettings, count: int) -> str:
    """Return the line that is written where `count` lines are missing."""
    text = _MISSING.format(count)
    if settings.log_format == "text":
        return f"WARNING {text}"
    return json.dumps(_event(text, __name__, "warning", datetime.now(UTC).timestamp()))


def _event(text: str, logger: str, level: str, seconds: float) -> dict[str, str]:
    moment = datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
    return {"event": text, "logger": logger, "level": level, "timestamp": moment}
