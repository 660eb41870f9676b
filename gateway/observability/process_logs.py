"""Everything that a process of the gateway writes goes through the log, in its format."""

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from contract.plain_text import plain_text
from contract.process.standard_streams import queued_standard_streams
from gateway.observability.logs import event_of, rendering, set_up_logs, writes_json
from gateway.settings import Settings

_logger = logging.getLogger("gateway")


def silence_native_code(settings: Settings) -> None:
    """Keep gRPC's core out of a log in JSON; has to be called before gRPC is imported, which then reads the variable.

    It writes to the file descriptor, in a format of its own; what it says is in the errors of calls, too.
    """
    if writes_json(settings, sys.stderr):
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")


@contextmanager
def process_logs(settings: Settings) -> Iterator[None]:
    """Log to standard error, while the process serves, such that neither a full disk nor an unread pipe stops it.

    Warnings and exceptions that nothing catches are lines of the log too. With JSON an unexpected exception ends the
    process with 1 after its line, as Python would after a traceback that no reader of JSON understands.
    """
    is_json = writes_json(settings, sys.stderr)
    render = rendering(settings, sys.stderr)
    with queued_standard_streams(lambda count: render(_notice(count))):
        set_up_logs(settings)
        with _hooks() if is_json else nullcontext():
            yield


def announcement(settings: Settings, text: str, level: str = "info") -> str:
    """Return a line for standard output or error that is not part of the log: JSON if the settings say so for all."""
    if settings.log_format == "json":
        return rendering(settings, None)(event_of(text, level))
    return plain_text(text)


@contextmanager
def _hooks() -> Iterator[None]:
    """Have warnings, and exceptions that nothing catches, logged until the `with` ends."""
    before = threading.excepthook, sys.unraisablehook
    logging.captureWarnings(True)
    threading.excepthook = lambda failed: _log("A thread ended unexpectedly.", failed.exc_value)
    sys.unraisablehook = lambda failed: _log("An exception could not be raised.", failed.exc_value)
    try:
        yield
    except Exception as error:
        _log("The process ends unexpectedly.", error)
        raise SystemExit(1) from error
    finally:
        logging.captureWarnings(False)
        threading.excepthook, sys.unraisablehook = before


def _log(text: str, error: BaseException | None) -> None:
    _logger.critical(text, exc_info=error)


def _notice(count: int) -> dict[str, Any]:
    """Return the event that is written where `count` lines are missing."""
    text = f"Lines of this log that are missing here because they could not be written: {count}."
    return {**event_of(text, "warning"), "dropped": count}
