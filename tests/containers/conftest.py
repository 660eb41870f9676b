"""The images, built once a session, and the service of the embedded compose file, which is removed at the end."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.containers.engine import BASE, CommandFailedError, Project, build, free_port, run
from tests.containers.publish_colours import MODEL
from tests.places import CONTAINER_LAB, ROOT

VERSION = "test"
START_SECONDS = 120.0


@pytest.fixture(scope="session", autouse=True)
def lab() -> None:
    """Skip, with the reason, where containers cannot be built and run."""
    missing = [tool for tool in ("podman", "buildah") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} are not installed; {CONTAINER_LAB / 'setup.sh'} installs them")
    try:
        run("podman", "image", "exists", BASE)
    except CommandFailedError:
        pytest.skip(f"there is no image {BASE}; {CONTAINER_LAB / 'setup.sh'} makes one")
    try:
        run("podman", "run", "--rm", "--network=bridge", "--read-only", BASE, "true")  # a bridge needs iptables
    except CommandFailedError as error:
        pytest.skip(f"no container with a network can be run on this machine: {str(error).splitlines()[-1]}")


@pytest.fixture(scope="session")
def images(lab: None) -> dict[str, str]:
    """Build the gateway's and the model server's image; return their names by target."""
    names = {target: f"localhost/graft-{target}:{VERSION}" for target in ("gateway", "modelserver")}
    for target, name in names.items():
        build(target, name)
    return names


@pytest.fixture(scope="session")
def models(lab: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Publish a small model, and return the folder of models."""
    folder = tmp_path_factory.mktemp("containers")
    folder.chmod(0o755)  # the containers' user is another
    for parent in folder.parents[:2]:
        parent.chmod(0o755)
    subprocess.run(
        [sys.executable, "-m", "tests.containers.publish_colours", str(folder)], cwd=ROOT, check=True, timeout=300
    )
    return folder / "models"


@dataclass(frozen=True)
class Service:
    """The running containers, and a client of the published port that holds a key."""

    project: Project
    client: httpx.Client
    url: str

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
        """Return once the condition holds; fail, with the containers' logs, where it does not in time."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"{what} did not come true in {seconds} s.\n{self.project.logs()}"
            time.sleep(0.2)

    def healthy(self, service: str) -> bool:
        """Return whether a container's health check, run now, passes. Timers would need systemd."""
        try:
            run("podman", "healthcheck", "run", self.project.container(service))
        except CommandFailedError:
            return False
        return True


@pytest.fixture(scope="module")
def service(images: dict[str, str], models: Path) -> Iterator[Service]:
    """Start gateway and model server from the compose files; stop and remove everything at the end."""
    port = free_port()
    variables = {
        "GRAFT_MODEL": MODEL,
        "GRAFT_MODELS": str(models),
        "GRAFT_PUBLISH": f"127.0.0.1:{port}",
        "GRAFT_VERSION": VERSION,
    }
    project = Project(f"graft-test-{os.getpid()}", variables)
    try:
        create = ("create", "--name", "test", "--scope", "predict")
        key = project.compose("--profile", "keys", "run", "--rm", "-T", "keys", *create).split()[-1]
        project.compose("up", "-d", "--no-build", "model-server", "gateway")
        headers = {"authorization": f"Bearer {key}"}
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False) as client:
            started = Service(project, client, url)
            started.wait(lambda: started.healthy("model-server"), "the model server's health")
            started.wait(lambda: started.healthy("gateway"), "the gateway's health")
            yield started
    finally:
        project.compose("down", "--volumes", "--timeout", "20")
