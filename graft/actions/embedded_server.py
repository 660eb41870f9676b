"""Our model server as a child process, for a verb that needs one."""

import contextlib
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

from graft.errors import CommandError

_LISTENING = re.compile(r"Model server listening on (\S+)")
_STOP_SECONDS = 15


class EmbeddedModelServer:
    """A model server on a free loopback port, for as long as the `with` lasts.

    It is starting while other work is done; `address` waits until it listens. `on_end` gets its exit code if it
    ends by itself; `log` takes its standard error, as `subprocess` does; by default this process's own. With
    `batching`, it measures which parameters suit the first version, and says so in its log. `engine` is its setting.
    """

    def __init__(
        self,
        name: str,
        base_path: Path,
        on_end: Callable[[int], None] = lambda _: None,
        log: IO[bytes] | int | None = None,
        *,
        batching: bool = False,
        engine: str = "auto",
    ) -> None:
        self._command = [sys.executable, "-m", "graft", "modelserver", "--port=0"]
        self._command.append("--max_num_load_retries=0")  # what is published is whole, and tried again if it changes
        self._command += [f"--model_name={name}", f"--model_base_path={base_path}"]
        self._command += ["--enable_batching", "--tune_batching"] if batching else []
        self._command.append(f"--engine={engine}")
        self._on_end = on_end
        self._log = log
        self._stopping = threading.Event()

    def __enter__(self) -> "EmbeddedModelServer":
        self._child = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=self._log, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(_STOP_SECONDS)
        if self._child.poll() is None:
            self._child.kill()
        assert self._child.stdout is not None
        self._child.stdout.close()

    def address(self) -> str:
        """Wait until the server listens, and return HOST:PORT; to be asked once.

        Raises:
            CommandError: it ended before.
        """
        assert self._child.stdout is not None
        for line in self._child.stdout:
            if found := _LISTENING.match(line):
                threading.Thread(target=self._watch, daemon=True).start()
                return found[1]
        raise CommandError(f"The model server ended before it listened (exit code {self._child.wait()}).")

    def _watch(self) -> None:
        code = self._child.wait()
        if not self._stopping.is_set():
            self._on_end(code)
