"""Our model server as a child process, for a verb that needs one."""

import contextlib
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format

from contract.serving_messages import ModelServerConfig
from graft.errors import CommandError

_LISTENING = re.compile(r"Model server listening on (\S+)")
_STOP_SECONDS = 15


@dataclass(frozen=True)
class ServerLog:
    """The lowest level that the model server logs to this process's standard error, and the format."""

    level: str = "info"
    form: str = "text"


class EmbeddedModelServer:
    """A model server on a free loopback port, for as long as the `with` lasts; `models` are base paths by name.

    It is starting while other work is done; `address` waits until it listens. `on_end` gets its exit code if it
    ends by itself. Without a `log`, what it logs goes nowhere. With `batching`, it measures which parameters suit the
    first version that is loaded, and says so in its log. `engine` and `tracing` are its settings.

    It is in a process group of its own: Ctrl-C reaches whoever started it, who ends it when it is no longer needed.
    """

    def __init__(
        self,
        models: Mapping[str, Path],
        on_end: Callable[[int], None] = lambda _: None,
        log: ServerLog | None = None,
        *,
        batching: bool = False,
        engine: str = "auto",
        tracing: bool = False,
    ) -> None:
        self._models = models
        self._command = [sys.executable, "-m", "graft", "modelserver", "--port=0"]
        self._command.append("--max_num_load_retries=0")  # what is published is whole, and tried again if it changes
        self._command += ["--enable_batching", "--tune_batching"] if batching else []
        self._command += [f"--engine={engine}", f"--tracing={str(tracing).lower()}"]
        if log:
            self._command += [f"--log_level={log.level}", f"--log_format={log.form}"]
        self._on_end = on_end
        self._log = None if log else subprocess.DEVNULL
        self._stopping = threading.Event()

    def __enter__(self) -> "EmbeddedModelServer":
        with contextlib.ExitStack() as stack:
            command = [*self._command, *self._models_as_flags(stack)]
            self._child = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=self._log, text=True, process_group=0
            )
            self._files = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()
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

    def _models_as_flags(self, stack: contextlib.ExitStack) -> list[str]:
        """Return the flags that name the models; those of several are in a file that the stack removes."""
        if len(self._models) == 1:
            ((name, base_path),) = self._models.items()
            return [f"--model_name={name}", f"--model_base_path={base_path}"]
        config = ModelServerConfig()
        for name, base_path in self._models.items():
            try:
                config.model_config_list.config.add(
                    name=name, base_path=f"{base_path.resolve()}", model_platform="tensorflow"
                )
            except UnicodeEncodeError as error:
                raise CommandError(
                    f"The path {base_path.resolve()!r} is not UTF-8; rename it to serve several models."
                ) from error
        file = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="graft-models-"))) / "models.config"
        file.write_text(text_format.MessageToString(config), encoding="utf-8")
        return [f"--model_config_file={file}"]

    def _watch(self) -> None:
        code = self._child.wait()
        if not self._stopping.is_set():
            self._on_end(code)
