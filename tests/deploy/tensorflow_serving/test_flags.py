"""Every command in the repository that starts TensorFlow Serving gives it the flags without which it loses requests."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.settings import Settings
from tests.deploy.conftest import Compose
from tests.deploy.kustomize import KUBERNETES, resolve
from tests.places import ROOT

SERVER, IMAGE = "tensorflow_model_server", "tensorflow/serving"
READ = ("*.md", "*.yml", "*.yaml", "*.sh", "*.py", "*.toml", "Dockerfile", "Makefile", ".ci/*")
SKIPPED = {".venv", ".git", "tests"}


def texts() -> Iterator[tuple[Path, str]]:
    """Yield the files of the repository that may hold a command, and their text with continued lines joined."""
    for pattern in READ:
        for path in ROOT.rglob(pattern):
            if path.is_file() and not SKIPPED & set(path.relative_to(ROOT).parts):
                yield path, path.read_text(encoding="utf-8").replace("\\\n", " ")


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield each command line that starts TensorFlow Serving with a flag or from its image, with its place."""
    for path, text in texts():
        for line in text.splitlines():
            if re.search(rf"{SERVER}\s+--|docker run .*{IMAGE}|podman run .*{IMAGE}", line):
                yield str(path.relative_to(ROOT)), shlex.split(line, comments=True)


def check(words: list[str]) -> None:
    """Fail unless the flags are among the words of a command."""
    flags = dict(word.removeprefix("--").split("=", 1) for word in words if re.match(r"--\w+=", word))
    assert int(flags["grpc_max_threads"]) > Settings(models=("flowers",)).max_in_flight
    assert int(flags["num_load_threads"]) >= 2


def test_documented_commands_have_the_flags() -> None:
    """A command in a page or a script has more threads than a gateway has requests in flight, and two for loading."""
    found = list(commands())
    assert {place for place, _ in found} >= {"README.md"}
    for place, words in found:
        assert words, place
        check(words)


def test_compose_has_the_flags(production: Compose) -> None:
    """So does the compose file, wherever it runs the image."""
    services = [each for each in production["services"].values() if each["image"].startswith(f"{IMAGE}:")]
    assert services
    for service in services:
        check([*service["entrypoint"], *service["command"]])


def test_kubernetes_has_the_flags() -> None:
    """So does every overlay with the image."""
    containers = [
        container
        for overlay in (KUBERNETES / "overlays").iterdir()
        for (kind, _), resource in resolve(overlay).items()
        if kind == "Deployment"
        for container in resource["spec"]["template"]["spec"]["containers"]
        if container["image"].startswith(f"{IMAGE}:")
    ]
    assert containers
    for container in containers:
        assert container["command"][0] == SERVER
        check([*container["command"], *container["args"]])


def test_no_other_file_starts_it() -> None:
    """A file that names the image is one of those above, so that a new one is not forgotten."""
    named = {
        str(path.relative_to(ROOT))
        for path, text in texts()
        if re.search(rf"image:\s*\"?{IMAGE}|docker run .*{IMAGE}", text)
    }
    assert named == {"docker-compose.yml", "deploy/kubernetes/overlays/tensorflow-serving/model-server.yaml"}


@pytest.mark.parametrize("missing", ["grpc_max_threads", "num_load_threads"])
def test_a_command_without_a_flag_is_found(missing: str) -> None:
    """The check fails without either flag."""
    words = [word for word in [SERVER, "--grpc_max_threads=128", "--num_load_threads=2"] if missing not in word]
    with pytest.raises(KeyError, match=missing):
        check(words)


def test_the_health_check_sends_no_request(production: Compose) -> None:
    """The server counts requests, so its health check opens a connection to the gRPC port and sends nothing."""
    service = production["services"]["model-server"]
    assert service["healthcheck"]["test"] == 'bash -c "exec 3<>/dev/tcp/127.0.0.1/8500"'
    assert "--port=8500" in service["command"]
