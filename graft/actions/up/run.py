"""The verb `up`: a model server as a child process, with the gateway in front of it."""

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.main import Listening, check_settings, opened, prepare_process, serve_on
from gateway.observability.process_logs import process_logs
from gateway.settings import Settings
from graft.actions.embedded_server import EmbeddedModelServer, ServerLog
from graft.actions.given.arguments import refuse_as_parent
from graft.actions.up.announcement import Announcement, say
from graft.actions.up.models import chosen_models
from graft.actions.up.readiness import seen_by_gateway, seen_by_model_server
from graft.errors import BAD_INPUT, GATE_SAID_NO
from graft.settings import make_settings
from trainer.interruption import sigterm_as_exception

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServeModels:
    """What `graft up` was asked for. Without `names`, all models are served; the first is the gateway's default.

    With `batching`, requests are batched with parameters that suit the first model on this machine. `engine` is the
    model server's setting. `verbose` logs everything.
    """

    models: Path
    names: Sequence[str] = ()
    host: str = "127.0.0.1"
    port: int = 8000
    insecure: bool = False
    batching: bool = True
    engine: str = "auto"
    verbose: bool = False


def serve_embedded(wanted: ServeModels) -> int:
    """Serve the newest version of each model until a signal; return the exit code.

    It is 0 after a signal, 1 if the model server ended by itself, 2 if no model could be loaded.

    Raises:
        CommandError: there is no such model, or the model server does not start.
        ContractError: the gateway may not start with these settings, or a port is taken.
        TerminatedError: SIGTERM came before it served; Ctrl-C raises KeyboardInterrupt then.
    """
    refuse_as_parent(wanted.models, "--models")
    paths = chosen_models(wanted.models, wanted.names)
    settings = _settings(wanted, list(paths))
    check_settings(settings)
    prepare_process()
    ending = _Ending()
    log = ServerLog(settings.log_level, "text" if sys.stderr.isatty() else "json")
    with (
        _signals(),
        opened(settings) as sockets,  # before the model server takes seconds to start
        EmbeddedModelServer(
            *(paths, ending.ended, log), batching=wanted.batching, engine=wanted.engine, tracing=settings.tracing
        ) as model_server,
        process_logs(settings),
    ):
        announcement = Announcement(ending.none_loaded)
        address = model_server.address()

        def listening(where: Listening) -> None:
            look = seen_by_gateway(where.versions) if where.versions else seen_by_model_server(address, list(paths))
            announcement.begin(where, look)

        serve_on(sockets, settings.model_copy(update={"model_server": address}), listening)
        if ending.code is None:
            say("Stopped.")  # here, where a pipe that nobody reads does not stop it
    return ending.code or 0


def _settings(wanted: ServeModels, names: list[str]) -> Settings:
    """Return the gateway's settings; where nothing sets the log level, only warnings go to a terminal."""
    given: dict[str, Any] = {"models": names, "host": wanted.host, "port": wanted.port}
    settings = make_settings(Settings, **given, insecure=wanted.insecure or None)
    level = settings.log_level
    if wanted.verbose:
        level = "debug"
    elif "log_level" not in settings.model_fields_set and sys.stderr.isatty():
        level = "warning"
    return settings.model_copy(update={"log_level": level})


class _Ending:
    """Stops the gateway when there is nothing to serve; `code` is the exit code then, None as long as there is."""

    def __init__(self) -> None:
        self.code: int | None = None

    def ended(self, code: int) -> None:
        """The model server has ended: stop, so that the whole service is restarted."""
        _logger.error("The model server ended (exit code %d); stopping.", code)
        self._stop(GATE_SAID_NO)

    def none_loaded(self) -> None:
        """No model can be loaded: stop."""
        self._stop(BAD_INPUT)

    def _stop(self, code: int) -> None:
        self.code = code
        os.kill(os.getpid(), signal.SIGTERM)


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Let SIGTERM, and the end of the terminal, end what was started, too, until the gateway handles them."""
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_DFL:  # nohup
        with sigterm_as_exception():
            yield
        return
    with sigterm_as_exception():
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        try:
            yield
        finally:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
