"""The gateway's log, on standard error: JSON for machines, text for a terminal. docs/logs.md lists the fields.

All lines have the same format: those for each request by `RequestLog`, and what the gateway's modules, uvicorn and
other libraries pass to Python's `logging` after `set_up_logs`. No line contains images, keys, tokens, query strings or
names of files that callers sent.
"""

import json
import logging
import sys
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

import structlog
from pydantic_core import PydanticSerializationError, to_json

from gateway.observability.log_sampling import LogSample, is_chosen
from gateway.observability.metric_labels import shortened
from gateway.observability.observation import Observation
from gateway.settings import Settings

if TYPE_CHECKING:
    from structlog.typing import EventDict

PROBED_PATHS = frozenset({"/livez", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"})
"""What orchestrators, load balancers and Prometheus ask every few seconds."""

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


def set_up_logs(settings: Settings, stream: TextIO | None = None) -> None:
    """Send everything that the process logs to `stream`, by default standard error, in the format of the settings.

    What libraries say below a warning, such as that uvicorn has started, is only written at debug.
    """
    stream = sys.stderr if stream is None else stream
    render = rendering(settings, stream)
    handler = logging.StreamHandler(stream)
    handler.addFilter(_Repeated(settings.log_sample_others))
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


class _Repeated(logging.Filter):
    """Leaves out lines from one place in the code, such as one for each failed request, as the lines of requests."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self._sample = LogSample(share)

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a line is written; its text says how many from the same place were left out before it."""
        place = record.name, record.pathname, record.lineno
        if not self._sample.takes(place):
            return False
        if number := self._sample.left_out(place):
            record.msg = f"{record.getMessage()} ({number} such lines before this one were left out.)"
            record.args = ()
        return True


class RequestLog:
    """Writes a line for each request, or for the shares of successful and of other requests in the settings.

    Of other requests, the first hundred of each outcome in a minute are always written. The next line that is written
    says how many of its outcome were left out. Health and metrics are at level debug unless they fail; of consecutive
    probes that find the gateway not ready, only the first is at a higher level.
    """

    def __init__(self, settings: Settings, stream: TextIO | None = None) -> None:
        stream = sys.stderr if stream is None else stream
        self._share = settings.log_sample
        self._sample = LogSample(settings.log_sample_others)
        self._least = _LEVELS[settings.log_level]
        self._output = structlog.WriteLogger(stream)
        self._render = rendering(settings, stream)
        self._last_outcomes: dict[str, str] = {}  # for each quiet route

    def write(self, observation: Observation, route: str, seconds: float) -> bool:
        """Write the line of one request, unless its level or the sampling excludes it; return False for the latter."""
        outcome = observation.outcome or "internal_error"
        level = self._level(route, outcome, observation.status)
        if level < self._least:
            return True
        if not (is_chosen(self._share) if outcome == "ok" else self._sample.takes(outcome)):
            return False
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
            **self._left_out(outcome),
            "event": "request",
            "level": _NAMES[level],
            "timestamp": _now(),
        }
        self._output.msg(self._render(event))  # without structlog's loggers, which take 40 microseconds for it
        return True

    def _left_out(self, outcome: str) -> dict[str, int]:
        number = self._sample.left_out(outcome)
        return {} if number is None else {"left_out": number}

    def _level(self, route: str, outcome: str, status: int) -> int:
        if route in PROBED_PATHS:
            last, self._last_outcomes[route] = self._last_outcomes.get(route), outcome
            if outcome == "ok" or outcome == last == _NOT_READY:
                return logging.DEBUG
        if outcome == "internal_error":
            return logging.ERROR
        return logging.WARNING if status >= 500 else logging.INFO


def writes_json(settings: Settings, stream: TextIO | None) -> bool:
    """Return whether lines are JSON on a stream; None is one that was closed when the process began."""
    return settings.log_format == "json" or (settings.log_format == "auto" and not _is_terminal(stream))


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def rendering(settings: Settings, stream: TextIO | None) -> "Callable[[EventDict], str]":
    """Return a function that renders an event as a line for a stream."""
    if writes_json(settings, stream):
        return _to_json
    plain = structlog.dev.plain_traceback  # the default shows local variables, such as images and keys
    renderer = structlog.dev.ConsoleRenderer(colors=_is_terminal(stream), pad_event_to=0, exception_formatter=plain)
    return lambda event: str(renderer(None, "", _disarm(event)))


def event_of(text: str, level: str) -> "EventDict":
    """Return the event of a line about the process itself."""
    return {"event": text, "logger": "gateway", "level": level, "timestamp": _now()}


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
