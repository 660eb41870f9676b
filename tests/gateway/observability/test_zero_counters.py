"""What alerts and objectives count is there at zero from the start: a rate never sees with what a counter begins."""

import re
from pathlib import Path

import httpx
import pytest

from gateway.http.error_table import failure_codes, rejection_codes
from tests.deploy.prometheus_rules import records
from tests.fakes.model_server import FakeModelServer
from tests.gateway.conftest import StartGateway
from tests.gateway.gateway_process import gateway_process
from tests.gateway.images import draw
from tests.gateway.metric_values import read_metrics, value
from tests.gateway.protocol_requests import PROTOCOLS, send
from tests.gateway.security.api_keys import Keys, bearer
from tests.gateway.security.issuer import AUDIENCE, ISSUER, Issuer
from tests.gateway.waiting import wait_until_ready

(PREDICTS,) = set(re.findall(r'route=~"([^"]+)"', records()["graft:requests_failed:rate5m"]))
ROUTES = {
    "/v1/predict",
    "/v1/models/{model}/predict",
    "/v1/models/{target:path}",
    "/v2/models/{model}/infer",
    "/v2/models/{model}/versions/{version}/infer",
}


def labels_of(gateway: httpx.Client, name: str) -> list[dict[str, str]]:
    """Return the labels of each series of a name."""
    return [dict(labels) for found, labels in read_metrics(gateway) if found == f"graft_gateway_{name}"]


def check_zeros(gateway: httpx.Client, models: set[str]) -> None:
    """Check that every counter that a rule looks at is there before anything happened."""
    found = labels_of(gateway, "requests_total")
    seen = {(each["route"], each["model"], each["outcome"]) for each in found if re.fullmatch(PREDICTS, each["route"])}
    outcomes = {"ok", *failure_codes()}
    assert seen >= {(route, model, outcome) for route in ROUTES for model in models for outcome in outcomes}
    assert {each["protocol"] for each in found if each["route"] in ROUTES} == set(PROTOCOLS)
    assert {each["reason"] for each in labels_of(gateway, "shed_total")} == {
        "queue_full",
        "queue_timeout",
        "too_many_bytes",
    }
    assert {each["reason"] for each in labels_of(gateway, "refusals_total")} == set(rejection_codes())
    served = labels_of(gateway, "request_duration_seconds_count")
    assert {each["route"] for each in served if each["status"] == "2xx"} >= ROUTES
    assert labels_of(gateway, "log_lines_dropped_total") == [{}]
    assert value(gateway, "requests_total", route="/v1/predict") == 0


def test_counters_are_there_at_zero(start_gateway: StartGateway) -> None:
    """A gateway that has had no request has a counter for every route that predicts, every model and every failure."""
    check_zeros(start_gateway(models=("flowers", "trees")), {"flowers", "trees", "none"})


def test_counters_of_several_workers_are_there_at_zero(model_server: FakeModelServer) -> None:
    """With several workers they are, too, and a killed and replaced worker adds none."""
    with gateway_process(model_server.address, workers=2, shutdown_delay_seconds=0) as running:
        check_zeros(running.client, {"flowers", "none"})


def test_a_served_request_adds_its_version_alone(start_gateway: StartGateway) -> None:
    """The series of the outcomes are bounded: one that is served has its version, and no failure is there twice."""
    gateway = start_gateway()
    wait_until_ready(gateway)
    before = len(labels_of(gateway, "requests_total"))
    assert gateway.post("/v1/predict", content=draw()).status_code == 200
    assert gateway.post("/v1/predict", content=draw(mark=b"STATUS:INTERNAL")).status_code == 502
    added = len(labels_of(gateway, "requests_total")) - before
    assert added <= 3  # the version that served, /readyz or /metrics


def test_durations_tell_what_was_served(start_gateway: StartGateway) -> None:
    """Refusals and failures are timed under the class of their status, away from what was served."""
    gateway = start_gateway()
    wait_until_ready(gateway)
    for content in (draw(), b"text", b"text", draw(mark=b"STATUS:INTERNAL")):
        gateway.post("/v1/predict", content=content)
    counts = [
        value(gateway, "request_duration_seconds_count", route="/v1/predict", status=each)
        for each in ("2xx", "4xx", "5xx")
    ]
    assert counts == [1, 2, 1]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_tokens_that_cannot_be_verified_count_as_failures(
    start_gateway: StartGateway, tmp_path: Path, protocol: str
) -> None:
    """While the issuer is away, a request with a token fails under a route that predicts, in each protocol."""
    issuer = Issuer()
    issuer.add_key("first")
    keys = Keys(tmp_path / "keys.json")
    operator = keys.add("operate")
    with issuer.serving() as url:
        away = url
    gateway = start_gateway(jwt_issuer=ISSUER, jwt_audience=AUDIENCE, jwt_jwks=away, api_keys_file=keys.path)
    wait_until_ready(gateway)
    assert send(gateway, draw(), protocol, **bearer(issuer.token())).status_code == 503
    gateway.headers.update(bearer(operator))
    found = [
        dict(labels)["route"]
        for (name, labels), count in read_metrics(gateway).items()
        if name == "graft_gateway_requests_total" and ("outcome", "tokens_unverifiable") in labels and count
    ]
    assert len(found) == 1
    assert re.fullmatch(PREDICTS, found[0])
