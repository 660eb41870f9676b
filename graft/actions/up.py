"""The verb `up`: a model server as a child process, with the gateway in front of it."""

import contextlib
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx

from contract.plain_text import plain_text
from contract.versions import published_versions
from gateway.http.server import listen
from gateway.main import main as serve_gateway
from gateway.security.access import check_access
from gateway.settings import Settings
from graft.actions.embedded_server import EmbeddedModelServer
from graft.actions.given.arguments import refuse_as_parent
from graft.errors import GATE_SAID_NO, CommandError
from graft.settings import make_settings

_RETRY_SECONDS = 0.1


def serve_embedded(
    models: Path,
    name: str | None,
    host: str,
    port: int,
    *,
    insecure: bool = False,
    batching: bool = True,
    engine: str = "auto",
) -> int:
    """Serve the newest version of one model until a signal; return the exit code.

    With `batching`, requests are batched with parameters that suit the model on this machine. `engine` is the model
    server's setting.

    Raises:
        CommandError: there is no such model, the gateway may not start with these settings, or the model server does
            not start.
    """
    refuse_as_parent(models, "--models")
    name = name or only_model(models)
    if not published_versions(models / name):
        raise CommandError(f"There is no published version under {models / name}; `graft export` makes one.")
    given: dict[str, Any] = {"models": [name], "host": host, "port": port, "insecure": insecure or None}
    check_access(make_settings(Settings, **given))  # before the model server is started
    _check_free(host, port)
    ending = _Ending()
    with EmbeddedModelServer(name, models / name, ending, batching=batching, engine=engine) as model_server:
        address = model_server.address()
        settings = make_settings(Settings, model_server=address, **given)
        code = serve_gateway(settings, _announce_when_ready)
        return GATE_SAID_NO if ending.came else code


def _check_free(host: str, port: int) -> None:
    """See that the port can be listened on, before a model server takes seconds to start."""
    try:
        listen(host, port).close()
    except OSError as error:
        raise CommandError(
            f"Cannot listen on {host}:{port}: {error.strerror}; end what listens there, or give another --port."
        ) from error


def only_model(models: Path) -> str:
    """Return the name of the one published model under `models`.

    Raises:
        CommandError: there is none, or more than one.
    """
    names = sorted(path.name for path in models.glob("*") if published_versions(path))
    if len(names) == 1:
        return names[0]
    if names:
        raise CommandError(f"There are several models under {models} ({', '.join(names)}); choose one with --name.")
    raise CommandError(f"There is no published model under {models}; `graft export` makes one.")


class _Ending:
    """Stops the gateway when the model server has exited, so that the whole service is restarted."""

    def __init__(self) -> None:
        self.came = False

    def __call__(self, code: int) -> None:
        self.came = True
        _say(f"The model server ended (exit code {code}); stopping.")
        os.kill(os.getpid(), signal.SIGTERM)


def _announce_when_ready(url: str) -> None:
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it would log each time that this asks whether it is ready
    threading.Thread(target=_wait_and_announce, args=[url], daemon=True).start()


def _wait_and_announce(url: str) -> None:
    local = url.replace("//0.0.0.0", "//127.0.0.1").replace("//[::]", "//[::1]")
    with (
        httpx.Client(base_url=local, trust_env=False, verify=False) as client,  # noqa: S501 - only our own process
        contextlib.suppress(httpx.HTTPError),
    ):
        while client.get("/readyz").status_code != httpx.codes.OK:
            time.sleep(_RETRY_SECONDS)
        _say(f"{_what_is_served(client)} is served at {url}")
        _say(f"Try: graft predict IMAGE --url {url}    Ctrl-C stops it.")


def _what_is_served(client: httpx.Client) -> str:
    prediction = client.get("/v1/models")
    if not prediction.is_success:  # the gateway requires a key
        return "The model"
    (model,) = prediction.json()["models"]
    versions = ", ".join(row["version"] for row in model["versions"] if row["state"] == "AVAILABLE")
    return f"{model['name']} version {versions}"


def _say(text: str) -> None:
    sys.stdout.write(f"{plain_text(text)}\n")  # in one: unbuffered, a log line could come between the text and its end
    sys.stdout.flush()
