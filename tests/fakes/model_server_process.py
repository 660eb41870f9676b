"""The fake model server as a process of its own, which can be killed and started again on its port."""

import signal
import subprocess
import sys

from tests.fakes.model_server import FakeModelServer
from tests.places import ROOT


class ModelServerProcess:
    """Serves version 1 of the model `flowers`, from `start` to `kill`."""

    def __init__(self) -> None:
        self.port = 0
        self._process: subprocess.Popen[str] | None = None

    @property
    def address(self) -> str:
        """HOST:PORT of the gRPC API."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Run the process, at first on any free port, and return when it listens."""
        command = [sys.executable, "-m", "tests.fakes.model_server_process", str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def kill(self) -> None:
        """Send SIGKILL, and return when the process is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def main(port: int) -> None:
    """Serve until killed; the first line on stdout is the port."""
    server = FakeModelServer(port)
    server.publish("flowers", 1)
    server.start()
    print(server.port, flush=True)  # noqa: T201
    signal.pause()


if __name__ == "__main__":
    main(int(sys.argv[1]))
