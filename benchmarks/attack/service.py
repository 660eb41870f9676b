"""What is attacked: a `graft up` started for it, or a service that runs already."""

import argparse
import contextlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from benchmarks.attack.exchange import Target
from benchmarks.serving.photographs import read_or_draw
from benchmarks.serving.systems import SystemFailedError, started_graft
from benchmarks.serving.version import PreparationError, prepare
from graft.traffic.process_tree import role_of


def find_target(options: argparse.Namespace, stack: contextlib.ExitStack) -> tuple[Target, Sequence[int]]:
    """Start `graft up`, or find the gateway of `--url`; return it and the processes to measure.

    Raises:
        PreparationError, SystemFailedError: there is nothing to serve, or it does not start.
    """
    if options.url:
        parts = urlsplit(options.url)
        if not parts.hostname or parts.scheme != "http":
            raise PreparationError(f"--url must look like http://HOST:PORT, not {options.url}.")
        return Target(parts.hostname, parts.port or 80, options.name, options.model_server, options.key), options.pid
    folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="graft-attack-")))
    folder.mkdir(parents=True, exist_ok=True)
    models = options.models
    if models is None:
        print("Training and exporting the model to attack (two minutes)", flush=True)
        models = prepare(folder, options.data, small=False).models
    flags = [] if options.engine == "auto" else ["--engine", options.engine]
    flags += ["--no-batching"] if options.no_batching else []
    first = read_or_draw(options.data / "flowers" / "test")[0]
    system = stack.enter_context(started_graft(models, options.name, flags, first, folder / "graft-up.log"))
    pid = system.tree.processes()[0].pid
    return Target("127.0.0.1", system.port, options.name, model_server_of(pid)), [pid]


def model_server_of(pid: int) -> str:
    """Return HOST:PORT on which the model server below a `graft up` listens."""
    for child in psutil.Process(pid).children(recursive=True):
        if "modelserver" in role_of(child.cmdline()):
            for connection in child.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    return f"127.0.0.1:{connection.laddr.port}"
    raise SystemFailedError("The model server of `graft up` does not listen.")
