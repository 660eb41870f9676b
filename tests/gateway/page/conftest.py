"""A gateway with two models before the tests of its page."""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.fakes.model_server import FakeModelServer, manifest_for
from tests.gateway.running import running_gateway
from tests.gateway.waiting import wait_until_ready

ODD_LABELS = ("<img src=x onerror=alert(1)>", "\u202egnp.exe", "W" * 200, "plain")
ACCURACY = {"test": {"images": 90, "accuracy": 0.8667, "accuracy_interval": [0.7813, 0.9216]}}
HEATMAP = {
    "heatmap": {
        "inputs": {"image_bytes": {"dtype": "string", "shape": [None]}},
        "outputs": {"heatmap": {"dtype": "float32", "shape": [None, 2, 2]}},
    }
}


@dataclass(frozen=True)
class Site:
    """A gateway's address, a client of it, and the model server behind it."""

    address: str
    client: httpx.Client
    model_server: FakeModelServer


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A gateway for `flowers`, whose version 2 has results of a test and heatmaps, and for `odd`, with odd labels."""
    server = FakeModelServer()
    described = manifest_for("flowers", 2).model_dump(mode="json") | {"metrics": ACCURACY, "signatures": HEATMAP}
    server.publish("flowers", 1)
    server.publish("flowers", 2, manifest=httpx.Response(200, json=described).content, heatmap=True)
    server.publish("flowers", 3, state="LOADING")
    server.publish("odd", 1, ODD_LABELS)
    server.start()
    with running_gateway(
        model_server=server.address, models=("flowers", "odd"), poll_interval_seconds=0.05, max_body_bytes=100_000
    ) as client:
        wait_until_ready(client)
        yield Site(str(client.base_url).rstrip("/") + "/", client, server)
    server.stop()
