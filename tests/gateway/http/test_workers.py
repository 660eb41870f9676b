"""Several processes on one port count together, and outlive the death of one."""

import contextlib
import os
import signal
import socket
from pathlib import Path

import httpx
import psutil
import pytest

from tests.fakes.model_server import FakeModelServer, label_for
from tests.gateway.gateway_process import gateway_process
from tests.gateway.images import draw
from tests.gateway.metric_values import value
from tests.gateway.raw_requests import read_response, sent
from tests.gateway.waiting import wait_until


def workers_of(process_id: int) -> set[int]:
    """Return the processes that answer: the living children that are no helpers of multiprocessing."""
    found = set()
    for child in psutil.Process(process_id).children():
        with contextlib.suppress(psutil.ZombieProcess, psutil.NoSuchProcess):
            if "resource_tracker" not in " ".join(child.cmdline()):
                found.add(child.pid)
    return found


def call_on_new_connections(client: httpx.Client, count: int) -> None:
    """Ask about an image so often, each time on a connection of its own, so that any worker may get it."""
    image = draw("PNG")
    for _ in range(count):
        response = httpx.post(f"{client.base_url}/v1/predict", content=image, trust_env=False)
        assert response.json()["predictions"][0]["label"] == label_for(image)


def is_closed(connection: socket.socket) -> bool:
    """Return whether the other side has closed a connection."""
    patience = connection.gettimeout()
    connection.setblocking(False)
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True
    finally:
        connection.settimeout(patience)


def test_workers_count_together_and_are_replaced(model_server: FakeModelServer) -> None:
    """Two workers' counts add up, a killed one is replaced, its counts stay and its gauges go, and SIGTERM ends all."""
    labels = {"route": "/v1/predict", "model": "flowers", "outcome": "ok"}
    with gateway_process(
        model_server.address, workers=2, shutdown_delay_seconds=0, request_timeout_seconds=60
    ) as running:
        call_on_new_connections(running.client, 20)
        wait_until(lambda: value(running.client, "requests_total", **labels) == 20)
        before = workers_of(running.process.pid)
        assert len(before) == 2
        with model_server.holding(), sent(running.client, *[draw("PNG")] * 8) as connections:
            wait_until(lambda: value(running.client, "in_flight") == 8)
            os.kill(min(before), signal.SIGKILL)
            wait_until(lambda: not psutil.pid_exists(min(before)))  # until then its connections may still be open
            left = [connection for connection in connections if not is_closed(connection)]
            with httpx.Client(base_url=running.client.base_url, trust_env=False) as client:
                wait_until(lambda: value(client, "in_flight") == len(left))
            model_server.release()
            assert [read_response(connection)[0] for connection in left] == [200] * len(left)
        wait_until(lambda: len(workers_of(running.process.pid)) == 2, seconds=20)
        assert workers_of(running.process.pid) != before
        with httpx.Client(base_url=running.client.base_url, trust_env=False) as client:
            wait_until(lambda: value(client, "requests_total", **labels) == 20 + len(left))
            call_on_new_connections(client, 5)
            wait_until(lambda: value(client, "requests_total", **labels) == 25 + len(left))
            assert value(client, "in_flight") == 0
            assert value(client, "model_served_version", model="flowers") == 1
            shown = client.get("/metrics", headers={"Accept": "application/openmetrics-text"})
            assert shown.text.endswith("# EOF\n")
        living = workers_of(running.process.pid)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(20) == 0
        assert not any(psutil.pid_exists(worker) for worker in living)


def test_workers_end_with_the_first_process(model_server: FakeModelServer) -> None:
    """If the first process is killed, no worker is left behind on the port, and no file of their metrics."""
    with gateway_process(model_server.address, workers=2, shutdown_delay_seconds=0) as running:
        left = workers_of(running.process.pid)
        opened = [file.path for worker in left for file in psutil.Process(worker).open_files()]
        (folder,) = {Path(path).parent for path in opened if path.endswith(".db")}
        running.process.kill()
        wait_until(lambda: not any(psutil.pid_exists(worker) for worker in left), seconds=20)
        assert not folder.exists()


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="there is no /dev/shm here")
def test_the_files_of_workers_are_in_memory(model_server: FakeModelServer, tmp_path: Path) -> None:
    """Workers map the files of their metrics; on a full disk that would end them, so none of these is on a disk."""
    environment = {"TMPDIR": str(tmp_path)}
    with gateway_process(model_server.address, None, environment, workers=2, shutdown_delay_seconds=0) as running:
        call_on_new_connections(running.client, 5)
        wait_until(lambda: value(running.client, "requests_total", route="/v1/predict") == 5)
        assert list(tmp_path.rglob("*.db")) == []
        running.process.terminate()
        assert running.process.wait(20) == 0
