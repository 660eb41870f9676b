"""The embedded compose file, run for real: it answers, it recovers, and it gives nobody more than is needed."""

import os
import signal

import httpx
import pytest

from tests.containers.conftest import Service
from tests.containers.engine import CommandFailedError, inspect, run
from tests.drawn.images import COLOURS, encoded, solid

pytestmark = pytest.mark.containers

SERVICES = ("gateway", "model-server")
JPEG = {"content-type": "image/jpeg"}


def predict(client: httpx.Client) -> httpx.Response:
    return client.post("/v1/predict", content=encoded(solid(COLOURS["red"]), "JPEG"), headers=JPEG)


def test_a_image_is_answered_through_the_published_port(service: Service) -> None:
    """An image that is sent to the published port with a key gets probabilities of all classes."""
    response = predict(service.client).raise_for_status().json()
    assert (response["model"], response["version"]) == ("colours", "1")
    top = response["predictions"][0]["top"]
    assert {each["label"] for each in top} == set(COLOURS)
    assert sum(each["probability"] for each in top) == pytest.approx(1, abs=1e-4)


def test_nobody_is_answered_without_a_key(service: Service) -> None:
    """A request without a key is refused, as is `/metrics` with a key for predictions alone."""
    with httpx.Client(base_url=service.url, trust_env=False) as stranger:
        assert predict(stranger).status_code == 401
    assert service.client.get("/metrics").status_code == 403


@pytest.mark.parametrize("name", SERVICES)
def test_containers_run_as_nobody_on_a_root_that_cannot_be_written(service: Service, name: str) -> None:
    """The process has the numeric user, no capabilities and no way to gain any, and only /tmp can be written."""
    container = service.project.container(name)
    found = inspect("container", container)
    assert found["HostConfig"]["ReadonlyRootfs"] is True
    status = dict(
        line.split(":", maxsplit=1) for line in run("podman", "exec", container, "cat", "/proc/1/status").splitlines()
    )
    assert status["Uid"].split() == ["10001"] * 4
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"].strip() == "1"
    run("podman", "exec", container, "python", "-c", "open('/tmp/written', 'w')")
    for place in ("/written", "/opt/graft/written", "/models/written"):
        with pytest.raises(CommandFailedError, match=r"Read-only file system|No such file"):
            run("podman", "exec", container, "python", "-c", f"open('{place}', 'w')")


def test_the_model_server_is_out_of_reach(service: Service) -> None:
    """Only the gateway's port is published, and the network of the model server is internal."""
    found = inspect("container", service.project.container("model-server"))
    assert not any((found["NetworkSettings"]["Ports"] or {}).values())
    (network,) = found["NetworkSettings"]["Networks"]
    assert inspect("network", network)["internal"] is True


def test_a_killed_model_server_comes_back_and_answers(service: Service) -> None:
    """After SIGKILL the container is started again by its restart policy, and the gateway answers as before."""
    container = service.project.container("model-server")
    before = inspect("container", container)["State"]["Pid"]
    assert predict(service.client).status_code == 200
    os.kill(before, signal.SIGKILL)  # its own process, which this fixture's container runs
    service.wait(lambda: predict(service.client).status_code != 200, "a failed answer", 30)
    service.wait(lambda: predict(service.client).status_code == 200, "an answer from the restarted server")
    assert inspect("container", container)["State"]["Pid"] not in {0, before}
    assert service.client.get("/readyz").status_code == 200


def test_servers_end_by_sigterm(service: Service) -> None:
    """`stop` ends both containers with exit code 0: each hears SIGTERM as process 1, and drains."""
    for name in SERVICES:
        container = service.project.container(name)
        run("podman", "stop", "--time", "25", container)
        assert inspect("container", container)["State"]["ExitCode"] == 0, service.project.logs()
