"""Each gRPC status is one of our errors, and none of the model server's words reaches a caller."""

import grpc
import httpx
import pytest

from gateway.backend.model_client import error_for
from gateway.http.error_table import row_for
from tests.fakes.model_server import SECRET_WORDS, FakeModelServer
from tests.gateway.conftest import StartGateway
from tests.gateway.images import draw
from tests.gateway.waiting import wait_until, wait_until_ready

STATUSES = {
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 503,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
}


@pytest.mark.parametrize("code", list(grpc.StatusCode))
def test_every_grpc_status_has_an_http_status(code: grpc.StatusCode) -> None:
    """Every gRPC status becomes an error with a sentence and a row in the table; what is not foreseen is a 502."""
    error = error_for(code, "flowers", 3)
    assert row_for(error).status == STATUSES.get(code, 502)
    assert str(error).endswith(".")


def test_a_latest_version_that_is_not_found_means_none_is_loaded() -> None:
    """NOT_FOUND means 404 to a caller who named the version, and 503 to one who did not."""
    assert row_for(error_for(grpc.StatusCode.NOT_FOUND, "flowers", 3)).status == 404
    assert row_for(error_for(grpc.StatusCode.NOT_FOUND, "flowers", None)).status == 503


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("UNAVAILABLE", 503, "model_server_unavailable"),
        ("DEADLINE_EXCEEDED", 504, "model_server_timeout"),
        ("RESOURCE_EXHAUSTED", 503, "model_server_busy"),
        ("INVALID_ARGUMENT", 400, "request_rejected"),
        ("FAILED_PRECONDITION", 400, "request_rejected"),
        ("INTERNAL", 502, "model_server_failed"),
        ("UNKNOWN", 502, "model_server_failed"),
    ],
)
def test_a_failed_call_is_answered_in_our_words(gateway: httpx.Client, name: str, status: int, code: str) -> None:
    """A call that ends with a status is a problem without details of the model server: no host, no graph node."""
    response = gateway.post("/v1/predict", content=draw(mark=f"STATUS:{name}".encode()))
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert ("retry-after" in response.headers) == (status == 503)
    for word in SECRET_WORDS:
        assert word not in response.text


def test_a_slow_model_server_is_given_up(start_gateway: StartGateway) -> None:
    """A call that takes longer than request_timeout_seconds is a 504."""
    gateway = start_gateway(request_timeout_seconds=0.2)
    wait_until_ready(gateway)
    response = gateway.post("/v1/predict", content=draw(mark=b"SLEEP:1 "))
    assert (response.status_code, response.json()["code"]) == (504, "model_server_timeout")


def test_probabilities_that_are_no_numbers_are_not_passed_on(gateway: httpx.Client) -> None:
    """NaN from the model is a 502, not a label."""
    response = gateway.post("/v1/predict", content=draw(mark=b"NAN"))
    assert (response.status_code, response.json()["code"]) == (502, "model_server_failed")


def test_a_large_batch_is_sent_whole(gateway: httpx.Client) -> None:
    """Images beyond gRPC's usual 4 MB go through in one call."""
    files = [("file", (f"{number}", draw(mark=bytes(6_000_000)))) for number in range(3)]
    response = gateway.post("/v1/predict", files=files)
    assert response.status_code == 200
    assert len(response.json()["predictions"]) == 3


def test_hidden_causes_stay_hidden_while_not_ready(own_gateway: httpx.Client, model_server: FakeModelServer) -> None:
    """Neither /readyz nor /v1/models repeats what the model server said when asked for its versions."""
    model_server.refuse("GetModelStatus", grpc.StatusCode.INTERNAL)
    wait_until(lambda: own_gateway.get("/readyz").status_code == 503)
    for path in ("/readyz", "/v1/models"):
        assert [word for word in SECRET_WORDS if word in own_gateway.get(path).text] == []
