"""The gateway's log, on standard error: JSON for machines, text for a terminal. docs/logs.md lists the fields.

All lines have the same format: those for each request by `RequestLog`, and what the gateway's modules, uvicorn and
other libraries pass to Python's `logging` after `set_up_logs`. No line contains images, keys, tokens, query strings or
names of files that callers sent.
"""

import json
import logging
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

import structlog
from pydantic_core import PydanticSerializationError, to_json

from contract.process.standard_streams import queued_standard_streams
from gateway.observability.metric_labels import shortened
from gateway.observability.observation import Observation
from gateway.settings import Settings

if TYPE_CHECKING:
    from structlog.typing import EventDict

_QUIET_ROUTES = frozenset({"/livez", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"})
_NOT_READY = "not_ready"
_CONTROL = {number: f"\\x{number:02x}" for number in (*range(32), *range(127, 160), 0x2028, 0x2029)}
_OURS = ("gateway", "contract", "graft")
_encode = json.JSONEncoder(default=repr, separators=(",", ":")).encode  # `json.dumps` would create one for each line
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_NAMES = {number: name for name, number in _LEVELS.items()}

# only for lines that libraries write during a request, because it cannot be passed to them
_replied: ContextVar[Observation | None] = ContextVar("answered", default=None)

name_in_logs = _replied.set
"""Add this request's id to the log lines of the current task and of tasks that it starts."""


@contextmanager
def process_logs(settings: Settings) -> Iterator[None]:
    """Log to standard error, while the process serves, such that neither a full disk nor an unread pipe stops it."""
    render = _rendering(settings, on_terminal=sys.stderr is not None and sys.stderr.isatty())
    with queued_standard_streams(lambda count: render(_notice(count))):
        set_up_logs(settings)
        yield


def set_up_logs(settings: Settings, stream: TextIO | None = None) -> None:
    """Send everything that the process logs to `stream`, by default standard error, in the format of the settings.

    What libraries say below a warning, such as that uvicorn has started, is only written at debug.
    """
    stream = sys.stderr if stream is None else stream
    render = _rendering(settings, on_terminal=stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                _add_request,
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                lambda _, __, event: render(event),
            ],
        )
    )
    root = logging.getLogger()
    for each in list(root.handlers):
        root.removeHandler(each)
    root.addHandler(handler)
    level = _LEVELS[settings.log_level]
    root.setLevel(level if level == logging.DEBUG else max(level, logging.WARNING))
    for name in _OURS:
        logging.getLogger(name).setLevel(level)


class RequestLog:
    """Writes a line for each request, or for the share of successful requests in the settings.

    Failures are always written. Health and metrics are at level debug unless they fail; of consecutive probes that find
    the gateway not ready, only the first is at a higher level.
    """

    def __init__(self, settings: Settings, stream: TextIO | None = None) -> None:
        stream = sys.stderr if stream is None else stream
        self._share = settings.log_sample
        self._least = _LEVELS[settings.log_level]
        self._output = structlog.WriteLogger(stream)
        self._render = _rendering(settings, on_terminal=stream.isatty())
        self._last_outcomes: dict[str, str] = {}  # for each quiet route

    def write(self, observation: Observation, route: str, seconds: float) -> None:
        """Write the line of one request, unless its level or the sampling excludes it."""
        outcome = observation.outcome or "internal_error"
        level = self._level(route, outcome, observation.status)
        if level < self._least or (outcome == "ok" and not self._is_chosen()):
            return
        model, caller = observation.model, observation.caller
        trace, version = observation.trace, observation.version
        event = {
            "request_id": observation.request_id,
            "trace_id": None if trace is None else trace.trace_id,
            "route": route,
            "protocol": observation.protocol,
            "model": None if model is None else shortened(model),
            "version": None if version is None else str(version),
            "outcome": outcome,
            "status": observation.status or None,
            "duration_ms": round(seconds * 1000, 2),
            "bytes_in": observation.bytes_in,
            "bytes_out": observation.bytes_out,
            "images": observation.images,
            "caller": None if caller is None else shortened(caller),
            "event": "request",
            "level": _NAMES[level],
            "timestamp": _now(),
        }
        self._output.msg(self._render(event))  # without structlog's loggers, which take 40 microseconds for it

    def _level(self, route: str, outcome: str, status: int) -> int:
        if route in _QUIET_ROUTES:
            last, self._last_outcomes[route] = self._last_outcomes.get(route), outcome
            if outcome == "ok" or outcome == last == _NOT_READY:
                return logging.DEBUG
        if outcome == "internal_error":
            return logging.ERROR
        return logging.WARNING if status >= 500 else logging.INFO

    def _is_chosen(self) -> bool:
        return self._share >= 1 or random.random() < self._share  # noqa: S311 - sampling needs no secure randomness


def _rendering(settings: Settings, *, on_terminal: bool) -> "Callable[[EventDict], str]":
    """Return a function that renders an event as a line."""
    if settings.log_format == "json" or (settings.log_format == "auto" and not on_terminal):
        return _to_json
    plain = structlog.dev.plain_traceback  # the default shows local variables, such as images and keys
    renderer = structlog.dev.ConsoleRenderer(colors=on_terminal, pad_event_to=0, exception_formatter=plain)
    return lambda event: str(renderer(None, "", _disarm(event)))


def _notice(count: int) -> "EventDict":
    """Return the event that is written where `count` lines are missing."""
    return {
        "event": f"Lines of this log that are missing here because they could not be written: {count}.",
        "dropped": count,
        "logger": __name__,
        "level": "warning",
        "timestamp": _now(),
    }


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _to_json(event: "EventDict") -> str:
    """Return a line in ASCII; `json` encodes what is not ASCII and what pydantic rejects."""
    if "exc_info" in event:
        event = structlog.processors.format_exc_info(None, "", event)
    try:
        line = to_json(event, fallback=repr)
    except PydanticSerializationError:  # a lone surrogate, which a caller's name may have
        return _encode(event)
    return line.decode("ascii") if line.isascii() else _encode(event)


def _add_request(_: Any, __: str, event: "EventDict") -> "EventDict":
    """Add the id of the request to a library's line."""
    observation = _replied.get()
    if observation is not None:
        event["request_id"] = observation.request_id
        if observation.trace is not None:
            event["trace_id"] = observation.trace.trace_id
    return event


def _disarm(event: "EventDict") -> "EventDict":
    """Escape control characters, so that no value can start a line or control the terminal, and drop empty values."""
    return {
        key: value.translate(_CONTROL) if isinstance(value, str) else value
        for key, value in event.items()
        if value is not None
    }
