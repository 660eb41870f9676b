"""What starts a model server gives it what deploy/model-server-flags.toml lists: compose, Kubernetes, README, docs."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.settings import Settings
from modelserver.settings import ModelServerSettings
from scripts.flags_table import flags_table, read_flag_list
from tests.deploy.conftest import Compose
from tests.deploy.kubernetes.kustomize import KUBERNETES, resolve
from tests.places import ROOT

SERVER, IMAGE = "tensorflow_model_server", "tensorflow/serving"
READ = ("*.md", "*.yml", "*.yaml", "*.sh", "*.py", "*.toml", "Dockerfile", "Makefile", ".ci/*")
SKIPPED = {".venv", ".git", "tests"}
LISTED = read_flag_list()
SERVERS = {"production": "tensorflow-serving", "embedded": "ours"}
OVERLAYS = {"tensorflow-serving": "tensorflow-serving", "embedded": "ours"}
BY_HAND = {str(flag) for flag in LISTED.flags if flag.by_hand} | {
    str(each) for each in LISTED.variables if each.by_hand
}


def texts() -> Iterator[tuple[Path, str]]:
    """Yield the files of the repository that may hold a command, and their text with continued lines joined."""
    for pattern in READ:
        for path in ROOT.rglob(pattern):
            if path.is_file() and not SKIPPED & set(path.relative_to(ROOT).parts):
                yield path, path.read_text(encoding="utf-8").replace("\\\n", " ")


def commands() -> Iterator[tuple[str, set[str]]]:
    """Yield the words of each command line that starts TensorFlow Serving with a flag or from its image, and where."""
    for path, text in texts():
        for line in text.splitlines():
            if re.search(rf"{SERVER}\s+--|docker run .*{IMAGE}|podman run .*{IMAGE}", line):
                yield str(path.relative_to(ROOT)), set(shlex.split(line, comments=True))


def given(words: list[str]) -> set[str]:
    """Return the flags among the words of a command."""
    return {word for word in words if word.startswith("--")}


def test_documented_commands_have_the_flags() -> None:
    """A command for a terminal, in a page or a script, has every flag and variable that is listed for one."""
    found = list(commands())
    assert {place for place, _ in found} >= {"README.md"}
    assert {place: BY_HAND - words for place, words in found if BY_HAND - words} == {}


@pytest.mark.parametrize("variant", SERVERS)
def test_compose_has_the_list(variant: str, request: pytest.FixtureRequest) -> None:
    """Each compose file gives its model server and its gateway what is listed, and no other flag."""
    compose: Compose = request.getfixturevalue(variant)
    service = compose["services"]["model-server"]
    assert given([*service["entrypoint"], *service["command"]]) == LISTED.flags_of(SERVERS[variant], "flowers")
    assert service["environment"] == {each.name: each.value for each in LISTED.variables}
    gateway = compose["services"]["gateway"]["environment"]
    assert {each.name: gateway.get(each.name) for each in LISTED.gateway_variables} == {
        each.name: each.value for each in LISTED.gateway_variables
    }


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubernetes_has_the_list(overlay: str) -> None:
    """Each overlay gives its model server and its gateway what is listed, and no other flag."""
    resources = resolve(KUBERNETES / "overlays" / overlay)
    (server,) = resources["Deployment", "graft-model-server"]["spec"]["template"]["spec"]["containers"]
    assert given([*server["command"], *server["args"]]) == LISTED.flags_of(OVERLAYS[overlay], "$(GRAFT_MODEL)")
    variables = {each["name"]: each["value"] for each in server["env"] if "value" in each}
    assert variables == {each.name: each.value for each in LISTED.variables}
    (gateway,) = resources["Deployment", "graft-gateway"]["spec"]["template"]["spec"]["containers"]
    assert {(each.name, each.value) for each in LISTED.gateway_variables} <= {
        (each["name"], each.get("value")) for each in gateway["env"]
    }


def test_the_documented_table_is_the_list() -> None:
    """The table in docs/deployment.md is the one that `scripts/flags_table.py` prints."""
    assert flags_table() in (ROOT / "docs" / "deployment.md").read_text()


def test_the_list_suits_the_gateway() -> None:
    """TensorFlow Serving has more threads than two gateways have in flight, ours takes any body; two threads load."""
    flags = {flag.name: flag.value for flag in LISTED.flags}
    gateway = Settings(
        models=("flowers",),
        **{each.name.removeprefix("GATEWAY_").lower(): each.value for each in LISTED.gateway_variables},  # type: ignore[arg-type]
    )
    assert int(flags["grpc_max_threads"]) >= 2 * gateway.max_in_flight
    assert int(flags["num_load_threads"]) >= 2
    assert int(flags["max_message_bytes"]) > gateway.max_body_bytes
    assert gateway.max_response_message_bytes > 4 * 2**20, "no more than a client takes without being told"


def test_ours_knows_its_flags() -> None:
    """Every flag that is listed for our model server is a setting of it."""
    flags = (flag.removeprefix("--").split("=", 1) for flag in LISTED.flags_of("ours", "flowers"))
    ModelServerSettings(**dict(flags))


def test_no_other_file_starts_it() -> None:
    """A file that names the image is one of those above, so that a new one is not forgotten."""
    named = {
        str(path.relative_to(ROOT))
        for path, text in texts()
        if re.search(rf"image:\s*\"?(\$\{{\w+:-)?{IMAGE}|docker run .*{IMAGE}", text)
    }
    assert named == {"docker-compose.yml", "deploy/kubernetes/overlays/tensorflow-serving/model-server.yaml"}


@pytest.mark.parametrize("missing", sorted(BY_HAND))
def test_a_command_without_a_flag_is_found(missing: str) -> None:
    """The check of commands sees each flag that is missing."""
    assert BY_HAND - {SERVER, *(BY_HAND - {missing})} == {missing}


def test_the_health_check_sends_no_request(production: Compose) -> None:
    """The server counts requests, so its health check opens a connection to the gRPC port and sends nothing."""
    service = production["services"]["model-server"]
    assert service["healthcheck"]["test"] == 'bash -c "exec 3<>/dev/tcp/127.0.0.1/8500"'
    assert "--port=8500" in service["command"]
