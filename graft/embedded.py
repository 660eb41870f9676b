"""The verb `up`: a model server as a child process, and the gateway before it."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx

from contract.versions import published_versions
from gateway.app import main as serve_gateway
from gateway.settings import Settings
from graft.errors import GATE_SAID_NO, CommandError
from graft.settings import make_settings

_LISTENING = re.compile(r"Model server listening on (\S+)")
_STOP_SECONDS = 15
_ASK_AGAIN_SECONDS = 0.1


def serve_embedded(models: Path, name: str | None, host: str, port: int) -> int:
    """Serve the newest version of one model until a signal; return the exit code.

    Raises:
        CommandError: there is no such model, or the model server does not start.
    """
    name = name or _only_model(models)
    if not published_versions(models / name):
        raise CommandError(f"There is no published version under {models / name}; `graft export` makes one.")
    with _ModelServer(name, models / name) as model_server:
        address = model_server.address
        settings = make_settings(Settings, models=[name], model_server=address, host=host, port=port)
        code = serve_gateway(settings, _announce_when_ready)
        return GATE_SAID_NO if model_server.ended_by_itself else code


def _only_model(models: Path) -> str:
    names = sorted(path.name for path in models.glob("*") if published_versions(path))
    if len(names) == 1:
        return names[0]
    if names:
        raise CommandError(f"There are several models under {models} ({', '.join(names)}); choose one with --name.")
    raise CommandError(f"There is no published model under {models}; `graft export` makes one.")


class _ModelServer:
    """A model server on a free port, for as long as the `with` lasts.

    If it ends by itself the gateway is asked to end too: a service that can only refuse should be restarted whole.
    """

    def __init__(self, name: str, base_path: Path) -> None:
        command = [sys.executable, "-m", "graft", "modelserver", "--port=0"]
        command += [f"--model_name={name}", f"--model_base_path={base_path}"]
        self._child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._stopping = threading.Event()
        self.ended_by_itself = False
        self.address = ""

    def __enter__(self) -> "_ModelServer":
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(self._stop)
            self.address = self._read_address()
            on_failure.pop_all()
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _read_address(self) -> str:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            if found := _LISTENING.match(line):
                return found[1]
        raise CommandError(f"The model server ended before it listened (exit code {self._child.wait()}).")

    def _watch(self) -> None:
        code = self._child.wait()
        if not self._stopping.is_set():
            self.ended_by_itself = True
            _say(f"The model server ended (exit code {code}); stopping.")
            os.kill(os.getpid(), signal.SIGTERM)

    def _stop(self) -> None:
        self._stopping.set()
        self._child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(_STOP_SECONDS)
        if self._child.poll() is None:
            self._child.kill()
        assert self._child.stdout is not None
        self._child.stdout.close()


def _announce_when_ready(url: str) -> None:
    threading.Thread(target=_wait_and_announce, args=[url], daemon=True).start()


def _wait_and_announce(url: str) -> None:
    with httpx.Client(base_url=url, trust_env=False) as client, contextlib.suppress(httpx.HTTPError):
        while client.get("/readyz").status_code != httpx.codes.OK:
            time.sleep(_ASK_AGAIN_SECONDS)
        (model,) = client.get("/v1/models").json()["models"]
        versions = ", ".join(row["version"] for row in model["versions"] if row["state"] == "AVAILABLE")
        _say(f"{model['name']} version {versions} is served at {url}")
        _say(f"Try: graft predict IMAGE --url {url}    Ctrl-C stops it.")


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - this is the command's own output
