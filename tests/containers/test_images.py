"""What the images hold, and what they do not."""

import pytest

from tests.containers.engine import BASE, inspect, run

pytestmark = pytest.mark.containers

MB = 1_000_000
GATEWAY_MOST = 130 * MB


def in_image(image: str, *command: str) -> str:
    return run(
        "podman", "run", "--rm", "--network=none", "--read-only", "--entrypoint", command[0], image, *command[1:]
    )


def test_the_gateway_adds_at_most_130_mb_to_its_base(images: dict[str, str]) -> None:
    """The image of the gateway is at most 130 MB larger than the one it is built on."""
    added = inspect("image", images["gateway"])["Size"] - inspect("image", BASE)["Size"]
    assert added <= GATEWAY_MOST, f"{added / MB:.0f} MB"


@pytest.mark.parametrize(
    ("target", "modules"),
    [("gateway", ("pip", "ensurepip", "setuptools")), ("modelserver", ("pip", "ensurepip"))],  # TensorFlow needs it
    ids=["gateway", "modelserver"],
)
def test_images_hold_nothing_that_builds_or_installs(
    images: dict[str, str], target: str, modules: tuple[str, ...]
) -> None:
    """Neither compiler nor installer is in an image that runs: not beside our packages, and not left from its base."""
    tools = ("gcc", "cc", "make", "pip", "pip3", "easy_install", "curl", "wget", "git")
    look = (
        "import importlib.util as u, shutil;"
        f"print([t for t in {tools} if shutil.which(t)], [m for m in {modules} if u.find_spec(m)])"
    )
    both = (
        f"import subprocess, sys; [subprocess.run([p, '-c', {look!r}]) for p in (sys.executable, sys._base_executable)]"
    )
    assert in_image(images[target], "python", "-c", both).splitlines() == ["[] []", "[] []"]


def test_the_gateway_has_no_tensorflow(images: dict[str, str]) -> None:
    """No heavy package is in the gateway's image, and the whole application can be imported there."""
    program = (
        "import importlib.util as u, gateway.app;"
        "print([m for m in ('tensorflow', 'keras', 'numpy', 'PIL', 'sqlalchemy', 'pytest') if u.find_spec(m)])"
    )
    assert in_image(images["gateway"], "python", "-c", program).strip() == "[]"


@pytest.mark.parametrize("target", ["gateway", "modelserver"])
def test_images_say_what_they_are_and_run_as_nobody(images: dict[str, str], target: str) -> None:
    """An image has OCI labels, a numeric user, a health check, and hears SIGTERM as process 1."""
    image = inspect("image", images[target])
    assert image["Labels"]["org.opencontainers.image.title"] == f"graft-{target}"
    assert image["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert image["Config"]["User"] == "10001:10001"
    assert image["Config"]["Entrypoint"][0] == "graft"
    assert image["Config"]["StopSignal"] == "SIGTERM"
    assert image["Healthcheck"]["Test"][:2] == ["CMD", "python"]
