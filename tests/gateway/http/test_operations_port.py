"""Metrics on a port of their own."""

import re
import subprocess
import sys

import httpx

from tests.fakes.model_server import FakeModelServer
from tests.gateway.waiting import wait_until_ready


def test_metrics_are_on_the_second_port_only(model_server: FakeModelServer) -> None:
    """With `operations_port`, /metrics is there and not on the first port; both say whether they live; both end."""
    settings = ["--set", "operations_port=0", "--set", "shutdown_delay_seconds=0"]
    command = [sys.executable, "-m", "graft", "gateway", "--model", "flowers", "--port", "0", *settings]
    with subprocess.Popen(
        [*command, "--model-server", model_server.address], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        addresses = [re.findall(r"http://\S+", process.stdout.readline())[0] for _ in range(2)]
        with httpx.Client(base_url=addresses[0], trust_env=False) as first:
            wait_until_ready(first)
            assert first.get("/metrics").status_code == 404
        with httpx.Client(base_url=addresses[1], trust_env=False) as second:
            assert "graft_gateway_requests_total" in second.get("/metrics").text
            assert second.get("/readyz").status_code == second.get("/livez").status_code == 200
            assert second.get("/v1/models").status_code == 404
        process.terminate()
        assert process.wait(20) == 0
