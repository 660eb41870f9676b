"""What differs from cluster to cluster: name servers, collectors, the label of Prometheus, images, and rolled pods."""

import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from modelserver.settings import ModelServerSettings
from tests.deploy.kubernetes.kustomize import KUBERNETES, OVERLAYS, Resources, resolve
from tests.deploy.kubernetes.network_policies import Destination, reaches
from tests.places import ROOT

KUBE_SYSTEM = {"kubernetes.io/metadata.name": "kube-system"}
EXAMPLE = KUBERNETES / "overlays" / "example"
MONITORING = {"ServiceMonitor", "PodMonitor", "PrometheusRule", "AlertmanagerConfig"}

NAME_SERVERS = {
    "a pod of CoreDNS": Destination("10.244.0.3", 53, "UDP", {"k8s-app": "kube-dns"}, KUBE_SYSTEM),
    "NodeLocal DNSCache": Destination("169.254.20.10", 53, "UDP"),
    "NodeLocal DNSCache, over TCP": Destination("169.254.20.10", 53),
    "the Service's address, which the node's cache has taken over": Destination("10.96.0.10", 53, "UDP"),
    "a name server in the node's network": Destination("192.168.49.2", 53, "UDP"),
    "one with an IPv6 address": Destination("fd00:10:96::a", 53, "UDP"),
}
CLOSED = {
    "a name server of the internet": Destination("8.8.8.8", 53, "UDP"),
    "the cloud's metadata": Destination("169.254.169.254", 80),
    "a website": Destination("93.184.215.14", 443),
    "another pod": Destination("10.244.0.9", 8080, "TCP", {"app": "shop"}, {"kubernetes.io/metadata.name": "shop"}),
}
ITS_OPERATOR = {"app.kubernetes.io/name": "traces-collector", "app.kubernetes.io/component": "opentelemetry-collector"}
COLLECTORS = {
    "of the Helm chart": {"app.kubernetes.io/name": "opentelemetry-collector"},
    "of the operator": ITS_OPERATOR,
}


@pytest.fixture(scope="module", params=OVERLAYS)
def resources(request: pytest.FixtureRequest) -> Resources:
    """The resources of each overlay in turn."""
    return resolve(KUBERNETES / "overlays" / request.param)


def pods_of(resources: Resources) -> dict[str, dict[str, str]]:
    """Return the labels of the pods by the name of their Deployment."""
    return {
        name: resource["spec"]["template"]["metadata"]["labels"]
        for (kind, name), resource in resources.items()
        if kind == "Deployment"
    }


@pytest.mark.parametrize("name", NAME_SERVERS)
def test_every_pod_can_look_up_names(resources: Resources, name: str) -> None:
    """Wherever a cluster answers for names, pods reach it: no selector matches what is in the node's network."""
    for labels in pods_of(resources).values():
        assert reaches(resources, labels, NAME_SERVERS[name])


@pytest.mark.parametrize("name", CLOSED)
def test_servers_reach_nothing_else(resources: Resources, name: str) -> None:
    """Gateways and model servers reach no other address, and no other port of an address where names are answered."""
    for deployment in ("graft-gateway", "graft-model-server"):
        assert not reaches(resources, pods_of(resources)[deployment], CLOSED[name])


def test_the_probe_reaches_callers_addresses(resources: Resources) -> None:
    """A probe may go to a load balancer anywhere, by HTTP and HTTPS, and nowhere else."""
    labels = pods_of(resources)["graft-probe"]
    assert reaches(resources, labels, CLOSED["a website"])
    assert not reaches(resources, labels, CLOSED["another pod"])


@pytest.mark.parametrize("name", COLLECTORS)
@pytest.mark.parametrize("port", [4317, 4318])
def test_spans_reach_a_collector_in_any_namespace(name: str, port: int) -> None:
    """A collector is found by the label that its chart or its operator gives it, on both ports of OTLP."""
    resources = resolve(KUBERNETES / "overlays" / "embedded")
    there = Destination("10.244.3.7", port, "TCP", COLLECTORS[name], {"kubernetes.io/metadata.name": "observability"})
    for labels in pods_of(resources).values():
        assert reaches(resources, labels, there)


def test_the_place_of_the_collector_can_be_set() -> None:
    """The example sends spans to an agent in the node's network instead, which its policy lets pods reach."""
    resources = resolve(EXAMPLE)
    (container,) = resources["Deployment", "graft-gateway"]["spec"]["template"]["spec"]["containers"]
    names = [each["name"] for each in container["env"]]
    variables = {each["name"]: each.get("value") for each in container["env"]}
    assert variables["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://$(NODE_ADDRESS):4317"
    assert names.index("NODE_ADDRESS") < names.index("OTEL_EXPORTER_OTLP_ENDPOINT"), "only what stands before is known"
    for labels in pods_of(resources).values():
        assert reaches(resources, labels, Destination("10.0.0.5", 4317))
        assert not reaches(resources, labels, Destination("10.244.3.7", 4318, "TCP", ITS_OPERATOR, {"a": "b"}))


def test_the_model_server_of_the_example_can_be_traced(tmp_path: Path) -> None:
    """With our model server, the patch that is commented out gives it the flag, the gateway's variables and its own."""
    copy = tmp_path / "kubernetes"
    shutil.copytree(KUBERNETES, copy)
    file = copy / "overlays" / "example" / "kustomization.yaml"
    text = file.read_text().replace("  - ../tensorflow-serving", "  - ../embedded").replace("  # - path:", "  - path:")
    file.write_text(text)
    before, after = resolve(KUBERNETES / "overlays" / "embedded"), resolve(file.parent)
    untraced, server, gateway = (
        resources["Deployment", name]["spec"]["template"]["spec"]["containers"][0]
        for resources, name in (
            (before, "graft-model-server"),
            (after, "graft-model-server"),
            (after, "graft-gateway"),
        )
    )
    assert server["command"] == [*untraced["command"], "--tracing"]
    assert server["args"] == untraced["args"]
    ModelServerSettings(**dict(flag.removeprefix("--").split("=", 1) for flag in server["args"]), tracing=True)
    known = {each["name"] for each in untraced["env"]}
    assert [each for each in server["env"] if each["name"] not in known] == [
        each for each in gateway["env"] if each["name"] == "NODE_ADDRESS" or each["name"].startswith("OTEL_")
    ]
    for version in ("1.29", "1.34"):
        kubernetes_validate.validate(after["Deployment", "graft-model-server"], version, strict=True)


def test_prometheus_selects_monitors_and_rules_by_its_release(resources: Resources) -> None:
    """Whatever the Prometheus of kube-prometheus-stack has to read carries the name of its Helm release."""
    found = {resource["metadata"]["labels"]["release"] for key, resource in resources.items() if key[0] in MONITORING}
    assert found <= {"kube-prometheus-stack", "monitoring"}
    assert len(found) == 1


def test_the_release_can_be_set() -> None:
    """One patch changes the label of all of them."""
    labels = {
        key: resource["metadata"]["labels"]["release"]
        for key, resource in resolve(EXAMPLE).items()
        if key[0] in MONITORING
    }
    assert len(labels) >= 3
    assert set(labels.values()) == {"monitoring"}


def changed_copy(folder: Path, change: Callable[[Path], None]) -> tuple[Resources, Resources]:
    """Return what an overlay gives before and after a change of a copy of deploy/kubernetes."""
    copy = folder / "kubernetes"
    shutil.copytree(KUBERNETES, copy)
    before = resolve(copy / "overlays" / "embedded")
    change(copy / "base")
    return before, resolve(copy / "overlays" / "embedded")


def another_batch_size(base: Path) -> None:
    file = base / "generated" / "batching_parameters.txt"
    file.write_text(file.read_text() + "num_batch_threads { value: 2 }\n")


def another_model(base: Path) -> None:
    file = base / "kustomization.yaml"
    file.write_text(file.read_text().replace("model=flowers", "model=roses"))


@pytest.mark.parametrize(
    ("change", "rolled"),
    [
        (another_batch_size, {"graft-model-server"}),
        (another_model, {"graft-gateway", "graft-model-server", "graft-probe"}),
    ],
)
def test_a_changed_file_rolls_the_pods_that_read_it(
    change: Callable[[Path], None], rolled: set[str], tmp_path: Path
) -> None:
    """A pod's template changes with what its ConfigMaps hold, so its Deployment rolls; others stay as they are."""
    before, after = changed_copy(tmp_path, change)
    templates = {name: (before["Deployment", name], after["Deployment", name]) for name in pods_of(before)}
    assert {
        name for name, (old, new) in templates.items() if old["spec"]["template"] != new["spec"]["template"]
    } >= rolled
    assert {name for name, (old, new) in templates.items() if old == new} == templates.keys() - rolled


def test_every_named_config_map_is_there(resources: Resources) -> None:
    """What pods name is what is made, hash included."""
    made = {resource["metadata"]["name"] for key, resource in resources.items() if key[0] == "ConfigMap"}
    text = "\n".join(yaml.safe_dump(resource) for key, resource in resources.items() if key[0] == "Deployment")
    named = set(re.findall(r"configMap(?:KeyRef)?:\n(?: +key: \S+\n)? +name: (\S+)", text))
    assert named == made


@pytest.mark.parametrize(
    ("name", "deployments"),
    [("graft-gateway", {"graft-gateway", "graft-probe"}), ("tensorflow/serving", {"graft-model-server"})],
)
def test_images_are_set_by_digest_with_the_documented_command(name: str, deployments: set[str], tmp_path: Path) -> None:
    """The command of docs/deployment.md writes a digest into a copy of the example, and pods run that image."""
    page = (ROOT / "docs" / "deployment.md").read_text()
    (command,) = re.findall(r"^\$ (sed -i .*digest:.*kustomization.yaml)", page, re.MULTILINE)
    copy = tmp_path / "kubernetes"
    shutil.copytree(KUBERNETES, copy)
    overlay = copy / "overlays" / "example"
    digest = f"sha256:{hashlib.sha256(b'an image').hexdigest()}"
    environment = {"PATH": "/usr/bin:/bin", "NAME": name, "DIGEST": digest}
    subprocess.run(["bash", "-c", command], cwd=overlay, env=environment, check=True)
    with_it = {
        key[1]
        for key, resource in resolve(overlay).items()
        if key[0] == "Deployment"
        and resource["spec"]["template"]["spec"]["containers"][0]["image"].endswith(f"@{digest}")
    }
    assert with_it == deployments, "the others are not touched"
