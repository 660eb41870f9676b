import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
import psutil
import pytest

from tests.fakes.unread_pipe import unread_pipe

SERVE = """
import sys
from pathlib import Path
from modelserver.server import main
from modelserver.settings import ModelServerSettings
settings = {"model_name": "scale", "model_base_path": Path(sys.argv[1]), "port": int(sys.argv[2])}
sys.exit(main(ModelServerSettings(**settings, **dict(each.split("=") for each in sys.argv[3:]))))
"""
LONG = np.array(2_000_000_000, np.int32)
"""Steps of the signature `slow`, which take many minutes."""


def _start(base_path: Path, port: int, *settings: str, before: str = "true") -> subprocess.Popen[str]:
    """Start a server by a shell that does something `before`, such as `ulimit`."""
    return subprocess.Popen(
        ["sh", "-c", f'{before} && exec "$@"', "sh", sys.executable, "-c", SERVE, str(base_path), str(port), *settings],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def process(tmp_path: Path, publish: Callable[..., Path]) -> Iterator[subprocess.Popen[str]]:
    publish(tmp_path / "scale", 1, 2.0)
    process = _start(tmp_path / "scale", 0)
    yield process
    process.kill()
    process.communicate()


def _port(process: subprocess.Popen[str]) -> int:
    """Return the port of a server once it listens."""
    assert process.stdout
    line = process.stdout.readline()
    assert line.startswith("Model server listening on 127.0.0.1:")
    return int(line.rpartition(":")[2])


def test_sigterm_finishes_what_is_in_flight_and_exits_with_zero(
    process: subprocess.Popen[str], connect: Callable[[int], Any], eventually: Callable[..., None]
) -> None:
    """After SIGTERM a request in flight is answered, a new one refused, and the exit code is 0."""
    client = connect(_port(process))
    eventually(lambda: client.is_available(1))
    slow = client.start_predict({"n": np.array(300_000, np.int32)}, "slow")
    client.states()  # answered on the same connection: the slow request has arrived before
    process.send_signal(signal.SIGTERM)
    assert list(slow.result().outputs["counted"].int_val) == [300_000]
    rest, log = process.communicate(timeout=30)
    assert process.returncode == 0
    assert rest == ""
    assert "scale version 1 is AVAILABLE (loaded in " in log
    with pytest.raises(grpc.RpcError):
        client.states()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_answers_what_is_in_flight_and_ends(
    process: subprocess.Popen[str],
    connect: Callable[[int], Any],
    eventually: Callable[..., None],
    number: signal.Signals,
) -> None:
    """After the second signal a request that would take minutes gets UNAVAILABLE in words, and the exit code is 0."""
    client = connect(_port(process))
    eventually(lambda: client.is_available(1))
    slow = client.start_predict({"n": LONG}, "slow")
    client.states()  # answered on the same connection: the slow request has arrived before
    process.send_signal(number)
    assert process.stderr
    while "a second signal ends at once" not in process.stderr.readline():
        pass
    process.send_signal(number)
    with pytest.raises(grpc.RpcError) as caught:
        slow.result()
    error: Any = caught.value  # also a grpc.Call, which the stubs do not know
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    assert error.details() == "The model server is stopping and did not finish this request; send it again."
    assert process.wait(timeout=30) == 0


def test_what_takes_too_long_to_finish_is_answered_in_words(
    process: subprocess.Popen[str], connect: Callable[[int], Any], eventually: Callable[..., None]
) -> None:
    """After the time to drain, what is left gets UNAVAILABLE, and the exit code is 0 without a second signal."""
    client = connect(_port(process))
    eventually(lambda: client.is_available(1))
    slow = client.start_predict({"n": LONG}, "slow")
    client.states()
    process.send_signal(signal.SIGTERM)
    with pytest.raises(grpc.RpcError, match="is stopping and did not finish this request"):
        slow.result()
    assert process.wait(timeout=30) == 0


def test_idle_connections_take_no_descriptors_from_others(
    tmp_path: Path,
    publish: Callable[..., Path],
    connect: Callable[[int], Any],
    eventually: Callable[..., None],
    x: npt.NDArray[np.float32],
) -> None:
    """With 64 descriptors and 200 idle connections to each port, a version is loaded, and later callers are served."""
    publish(tmp_path / "scale", 1, 2.0)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        metrics_port = free.getsockname()[1]
    process = _start(tmp_path / "scale", 0, f"rest_api_port={metrics_port}", before="ulimit -n 64")
    try:
        port = _port(process)
        with contextlib.ExitStack() as idle:
            for number in range(400):
                with contextlib.suppress(OSError):  # it may refuse one
                    idle.enter_context(socket.create_connection(("127.0.0.1", (port, metrics_port)[number % 2]), 10))
            assert process.stderr
            while "scale version 1 is AVAILABLE" not in (line := process.stderr.readline()):
                assert line, "the server ended"
            publish(tmp_path / "scale", 2, 3.0)
            while "scale version 2 is AVAILABLE" not in (line := process.stderr.readline()):
                assert line, "the server ended"
        client = connect(port)
        assert list(client.predict({"x": x}).outputs["y"].float_val) == [3.0, -6.0, 9.0]
        with socket.create_connection(("127.0.0.1", metrics_port), 10) as scraping:
            scraping.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert scraping.recv(100).startswith(b"HTTP/1.0 404")
    finally:
        process.kill()
        process.communicate()


def test_a_taken_port_ends_the_server_with_one_clear_line(tmp_path: Path) -> None:
    """A server that cannot listen says which address is taken, and exits with 2."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = _start(tmp_path, port)
        out, log = process.communicate(timeout=180)
    assert process.returncode == 2
    assert out == ""
    assert f"127.0.0.1:{port} cannot be listened on" in log
    assert "Traceback" not in log


def test_settings_and_errors_do_not_load_tensorflow() -> None:
    """Whoever only reads settings and configurations or catches errors loads no TensorFlow, numpy or gRPC."""
    check = (
        "import sys, modelserver.settings, modelserver.errors, modelserver.versions.configs; "
        "print({'tensorflow','numpy','grpc'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_full_pipe_that_nothing_reads_stops_nothing(
    tmp_path: Path, publish: Callable[..., Path], connect: Callable[[int], Any], eventually: Callable[..., None]
) -> None:
    """With output and log in a pipe that is full, models are loaded and served, and SIGTERM ends the process."""
    publish(tmp_path / "scale", 1, 2.0)
    command = [sys.executable, "-c", SERVE, str(tmp_path / "scale"), "0"]
    with unread_pipe() as pipe, subprocess.Popen(command, stdout=pipe, stderr=pipe) as process:
        try:
            seen = psutil.Process(process.pid)
            eventually(lambda: bool(seen.net_connections("inet")), seconds=60)
            client = connect(seen.net_connections("inet")[0].laddr.port)
            eventually(lambda: client.is_available(1))
            assert list(client.predict({"x": np.array([2.0], np.float32)}).outputs["y"].float_val) == [4.0]
            process.terminate()
            assert process.wait(60) == 0
        finally:
            process.kill()
