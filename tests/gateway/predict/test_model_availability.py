"""What the gateway says while models come, go, or cannot be asked."""

import grpc
import httpx
import pytest

from tests.fakes.model_server import SECRET_WORDS, FakeModelServer
from tests.gateway.conftest import StartGateway
from tests.gateway.images import draw
from tests.gateway.waiting import wait_until, wait_until_ready


def wait_until_not_ready(gateway: httpx.Client) -> str:
    """Wait for /readyz to say no; return its reason."""
    wait_until(lambda: gateway.get("/readyz").status_code == 503)
    return str(gateway.get("/readyz").json()["detail"])


def assert_unavailable(response: httpx.Response, code: str) -> None:
    """Assert that an answer is a 503 that invites to try again and gives away nothing."""
    assert (response.status_code, response.json()["code"]) == (503, code)
    assert response.headers["retry-after"] == "1"
    assert response.json()["detail"].endswith(".")
    assert "127.0.0.1" not in response.text
    assert "internal" not in response.text


def test_without_a_model_server_there_is_life_but_no_answer(
    start_gateway: StartGateway, model_server: FakeModelServer
) -> None:
    """While the model server cannot be reached the gateway lives, is not ready, and answers 503 with a sentence."""
    model_server.stop()
    gateway = start_gateway()
    wait_until(lambda: gateway.get("/readyz").json()["detail"].endswith("not available at the moment."))
    assert gateway.get("/livez").status_code == 200
    assert gateway.get("/readyz").status_code == 503
    assert_unavailable(gateway.post("/v1/predict", content=draw()), "model_server_unavailable")
    assert_unavailable(gateway.post("/v1/predict?version=1", content=draw()), "model_server_unavailable")


def test_a_model_server_that_comes_later_is_found(start_gateway: StartGateway, model_server: FakeModelServer) -> None:
    """Once the model server is there the gateway becomes ready by itself, and soon."""
    model_server.stop()
    gateway = start_gateway()
    wait_until_not_ready(gateway)
    model_server.start()
    wait_until_ready(gateway)
    assert gateway.post("/v1/predict", content=draw()).status_code == 200


def test_a_model_server_that_dies_and_returns_is_found_again(
    own_gateway: httpx.Client, model_server: FakeModelServer
) -> None:
    """A model server that ends under the gateway makes it unready, until it is back."""
    model_server.stop()
    wait_until_not_ready(own_gateway)
    wait_until(lambda: own_gateway.post("/v1/predict", content=draw()).status_code == 503)
    model_server.start()
    wait_until_ready(own_gateway)
    assert own_gateway.post("/v1/predict", content=draw()).status_code == 200


def test_without_a_loaded_version_there_is_no_answer(own_gateway: httpx.Client, model_server: FakeModelServer) -> None:
    """A model without an available version is answered with 503, also before the gateway has noticed."""
    model_server.withdraw("flowers", 1)
    assert_unavailable(own_gateway.post("/v1/predict", content=draw()), "model_not_loaded")
    assert "model flowers" in wait_until_not_ready(own_gateway)
    assert_unavailable(own_gateway.post("/v1/predict", content=draw()), "model_not_loaded")


def test_a_model_is_ready_only_when_it_is_available(start_gateway: StartGateway, model_server: FakeModelServer) -> None:
    """A version that is still loading does not make the gateway ready; the same version available does."""
    model_server.publish("slow", 1, state="LOADING")
    gateway = start_gateway(models=("slow",))
    wait_until(lambda: "No version of the model slow is loaded" in gateway.get("/readyz").text)
    assert gateway.get("/v1/models").json()["models"][0]["versions"][0]["state"] == "LOADING"
    model_server.publish("slow", 1)
    wait_until_ready(gateway)


def test_every_wanted_model_must_be_ready(start_gateway: StartGateway, model_server: FakeModelServer) -> None:
    """One missing model keeps the gateway unready and is named; the others are answered all the same."""
    gateway = start_gateway(models=("flowers", "dogs"))
    wait_until(lambda: gateway.post("/v1/predict", content=draw()).status_code == 200)
    reason = wait_until_not_ready(gateway)
    assert "dogs" in reason
    assert "flowers" not in reason
    model_server.publish("dogs", 1)
    wait_until_ready(gateway)


@pytest.mark.parametrize("manifest", [b"{}", b"no json", b'{"schema_version": "9.0"}'])
def test_a_model_that_cannot_describe_itself_is_not_ready(
    start_gateway: StartGateway, model_server: FakeModelServer, manifest: bytes
) -> None:
    """A version whose manifest cannot be read keeps the gateway unready, and requests for it are a 502."""
    model_server.publish("mute", 1, manifest=manifest)
    gateway = start_gateway(models=("mute",))
    wait_until(lambda: "manifest" in gateway.get("/readyz").json().get("detail", ""))
    assert gateway.get("/readyz").status_code == 503
    response = gateway.post("/v1/predict", content=draw())
    assert (response.status_code, response.json()["code"]) == (502, "model_server_failed")


def test_a_model_without_description_is_ready_for_other_protocols(
    start_gateway: StartGateway, model_server: FakeModelServer
) -> None:
    """A model without the signature `describe` is ready; only the native protocol says that it cannot (501)."""
    model_server.refuse("describe", grpc.StatusCode.FAILED_PRECONDITION)
    gateway = start_gateway()
    wait_until_ready(gateway)
    response = gateway.post("/v1/predict", content=draw())
    assert (response.status_code, response.json()["code"]) == (501, "model_not_described")
    assert [word for word in SECRET_WORDS if word in response.text] == []


def test_a_busy_model_server_stays_ready(own_gateway: httpx.Client, model_server: FakeModelServer) -> None:
    """A look at the versions that is turned away for load changes nothing: the server is there."""
    looks = 'code="RESOURCE_EXHAUSTED",method="GetModelStatus"'
    model_server.refuse("GetModelStatus", grpc.StatusCode.RESOURCE_EXHAUSTED)
    wait_until(lambda: looks in own_gateway.get("/metrics").text)
    assert own_gateway.get("/readyz").status_code == 200
    assert own_gateway.post("/v1/predict", content=draw()).status_code == 200


def test_models_are_listed(start_gateway: StartGateway, model_server: FakeModelServer) -> None:
    """/v1/models tells each model's versions with what is known of them, or why there is none."""
    digest = model_server.publish("flowers", 1)
    model_server.publish("flowers", 2, state="LOADING")
    gateway = start_gateway(models=("flowers", "dogs"))
    wait_until(lambda: bool(gateway.get("/v1/models").json()["models"][0]["available"]))
    wait_until(lambda: "No version" in gateway.get("/readyz").text)
    flowers, dogs = gateway.get("/v1/models").json()["models"]
    assert (flowers["name"], flowers["available"], flowers["reason"]) == ("flowers", True, None)
    assert flowers["versions"] == [
        {
            "version": "1",
            "state": "AVAILABLE",
            "failed": False,
            "digest": digest,
            "architecture": "mobilenet_v2",
            "labels": ["daisy", "roses", "tulips"],
        },
        {"version": "2", "state": "LOADING", "failed": False},
    ]
    assert (dogs["available"], dogs["versions"]) == (False, [])
    assert "dogs" in dogs["reason"]
