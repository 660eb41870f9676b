"""Several workers see each their part of the traffic; what the gateway says is of all of it."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from gateway.backend.model_client import ModelClient
from gateway.backend.model_versions import ModelVersions
from gateway.drift.monitor import DriftMonitor
from gateway.drift.sharing import SharedCounts, added_up
from gateway.drift.window import Counts
from tests.fakes.model_server import FakeModelServer
from tests.gateway.drift.drifting_model import only_version, publish, send, series
from tests.gateway.gateway_process import gateway_process
from tests.gateway.running import settings_for
from tests.gateway.waiting import wait_until, wait_until_ready

COUNTS: Counts = {"class": [1, 2], "confidence": [0, 3], "brightness": [3, 0], "size": [1, 2]}


@contextlib.contextmanager
def new_connections(client: httpx.Client, count: int) -> Iterator[list[httpx.Client]]:
    """Yield clients with a connection each, so that every worker has some of them."""
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(httpx.Client(base_url=client.base_url, trust_env=False, timeout=30))
            for _ in range(count)
        ]


def test_the_windows_of_workers_are_added_up(model_server: FakeModelServer) -> None:
    """Whichever worker is asked tells of the images of both."""
    publish(model_server)
    settings: dict[str, Any] = {
        "workers": 2,
        "drift_window": 400,
        "drift_least_images": 50,
        "shutdown_delay_seconds": 0,
    }
    with gateway_process(model_server.address, **settings) as running, new_connections(running.client, 12) as clients:
        for number, client in enumerate(clients):
            wait_until_ready(client)
            send(client, range(10 * number, 10 * number + 10))
        for client in clients:
            wait_until(lambda client=client: only_version(client)["images"] == 120)  # type: ignore[misc]
            wait_until(lambda client=client: series(client, "images") == {("1",): 120})  # type: ignore[misc]
        assert len(only_version(clients[0])["features"]) == 4


def test_counts_are_found_by_others_and_not_by_oneself(tmp_path: Path) -> None:
    """What a process published is for the others; its own file is not counted twice."""
    key = ("flowers", 3, "sha256:1")
    mine = SharedCounts(tmp_path)
    mine.publish({key: COUNTS})
    assert mine.of_others() == []
    (published,) = tmp_path.iterdir()
    parent = published.with_name(f"drift-{os.getppid()}.json")
    published.rename(parent)
    (found,) = mine.of_others()
    assert found == {key: COUNTS}
    assert added_up(COUNTS, [found[key]])["class"] == [2, 4]


def test_what_a_dead_worker_left_is_removed(tmp_path: Path) -> None:
    """The file of a process that has ended is not counted, and is taken away."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait(30)
    left = tmp_path / f"drift-{ended.pid}.json"
    left.write_text("[]")
    assert SharedCounts(tmp_path).of_others() == []
    assert not left.exists()


def test_a_folder_that_cannot_be_written_is_told_and_survived(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A worker that cannot share its counts says so once, and goes on."""
    versions = ModelVersions(cast("ModelClient", None), ("flowers",))
    monitor = DriftMonitor(settings_for(workers=2), versions, tmp_path / "missing")
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(monitor.share(), 0.05))
    assert [record.getMessage() for record in caplog.records] == [
        "This worker's drift counts cannot be shared: No such file or directory."
    ]
