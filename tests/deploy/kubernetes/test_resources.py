"""deploy/kubernetes: every overlay, resolved, held against Kubernetes's schemas and against what they promise."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml
from typer.main import get_command

from gateway.settings import ENVIRONMENT_PREFIX, Settings
from graft.cli import app
from modelserver.settings import ModelServerSettings
from scripts.kubernetes_files import RULES, TARGET, generated
from tests.deploy.kubernetes.kustomize import KUBERNETES, OVERLAYS, Resources, identity, resolve

VERSIONS = ("1.29", "1.34")
CUSTOM = {"ServiceMonitor", "PodMonitor", "PrometheusRule", "AlertmanagerConfig"}
DEPLOYMENTS = ("graft-gateway", "graft-model-server")
PODS = (*DEPLOYMENTS, "graft-probe")


@pytest.fixture(scope="module", params=OVERLAYS)
def resources(request: pytest.FixtureRequest) -> Resources:
    """The resources of each overlay in turn."""
    return resolve(KUBERNETES / "overlays" / request.param)


def pod_of(resources: Resources, deployment: str) -> dict[str, Any]:
    spec: dict[str, Any] = resources["Deployment", deployment]["spec"]["template"]["spec"]
    return spec


def container_of(resources: Resources, deployment: str) -> dict[str, Any]:
    (container,) = pod_of(resources, deployment)["containers"]
    assert isinstance(container, dict)
    return container


def variables_of(container: dict[str, Any]) -> dict[str, str]:
    """Return a container's variables; one that comes from the settings is the model's name."""
    return {each["name"]: each.get("value", "flowers") for each in container["env"]}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_resource_fits_the_schema_of_kubernetes(resources: Resources, version: str) -> None:
    """Every resource that is Kubernetes's own is valid, strictly: no field is unknown or of another type."""
    own = [resource for resource in resources.values() if resource["kind"] not in CUSTOM]
    assert len(own) >= 12
    for resource in own:
        kubernetes_validate.validate(resource, version, strict=True)


def test_a_misspelled_field_would_be_found(resources: Resources) -> None:
    """The schemas are strict: a field that Kubernetes does not know is refused."""
    deployment = resources["Deployment", "graft-gateway"]
    wrong = {**deployment, "spec": {**deployment["spec"], "replica": 2}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kustomize_gives_what_these_tests_look_at(overlay: str) -> None:
    """`kubectl kustomize` builds an overlay to the same resources as the tests' own reader."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed; the overlay is read by the tests' own reader alone")
    folder = KUBERNETES / "overlays" / overlay
    built = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=True).stdout
    assert {identity(each): each for each in yaml.safe_load_all(built)} == {
        identity(each): each for each in resolve(folder).values()
    }


@pytest.mark.parametrize("name", PODS)
def test_pods_have_no_more_rights_than_they_need(resources: Resources, name: str) -> None:
    """Pods run as a numeric user on a read-only root, without capabilities, tokens or a way to gain rights."""
    pod, container = pod_of(resources, name), container_of(resources, name)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    writable = [mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")]
    assert writable == ["/tmp"]
    assert {"requests", "limits"} == container["resources"].keys()


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_pods_are_probed_and_selected(resources: Resources, name: str) -> None:
    """Every pod has the three probes on ports that it names, and labels that Service, budget and policy select."""
    container = container_of(resources, name)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        (how,) = {"httpGet", "tcpSocket", "grpc"} & container[probe].keys()
        port = container[probe][how]["port"]
        assert port in ports or port in ports.values()
    labels = resources["Deployment", name]["spec"]["template"]["metadata"]["labels"]
    assert resources["Deployment", name]["spec"]["selector"]["matchLabels"] == labels
    assert resources["Service", name]["spec"]["selector"] == labels
    assert resources["PodDisruptionBudget", name]["spec"]["selector"]["matchLabels"] == labels
    assert resources["NetworkPolicy", name]["spec"]["podSelector"]["matchLabels"] == labels
    assert resources["ServiceMonitor", name]["spec"]["selector"]["matchLabels"] == labels
    assert all(each["targetPort"] in ports for each in resources["Service", name]["spec"]["ports"])


def test_the_gateway_understands_what_it_is_told(resources: Resources) -> None:
    """Every variable is a setting, the model server's name stands for all replicas, and callers need keys."""
    variables = variables_of(container_of(resources, "graft-gateway"))
    settings = Settings(
        **{  # type: ignore[arg-type]
            name.removeprefix(ENVIRONMENT_PREFIX).lower(): value
            for name, value in variables.items()
            if name.startswith(ENVIRONMENT_PREFIX)
        }
    )
    assert settings.model_server == "dns:///graft-model-server:8500"
    assert resources["Service", "graft-model-server"]["spec"]["clusterIP"] == "None"
    assert settings.api_keys_file is not None
    assert not settings.insecure
    pod = pod_of(resources, "graft-gateway")
    assert pod["enableServiceLinks"] is False
    (secret,) = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
    assert secret["defaultMode"] & 0o007 == 0


def test_the_probe_goes_where_callers_go(resources: Resources) -> None:
    """`graft probe` knows its flags, and what they name is mounted; Prometheus scrapes the port where metrics are."""
    container, pod = container_of(resources, "graft-probe"), pod_of(resources, "graft-probe")
    assert container["command"] == ["graft", "probe"]
    flags = dict(flag.split("=") for flag in container["args"][1:])
    known = {option for parameter in get_command(app).commands["probe"].params for option in parameter.opts}  # type: ignore[attr-defined]
    assert flags.keys() <= known
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert {flags["--models"], str(Path(flags["--api-key-file"]).parent)} <= mounts
    assert container["args"][0] == "$(GRAFT_PROBE_URL)"
    assert resources["ConfigMap", "graft-settings"]["data"]["probe-url"].startswith("http")
    (port,) = container["ports"]
    assert (flags["--port"], flags["--host"]) == (str(port["containerPort"]), "0.0.0.0")
    labels = resources["Deployment", "graft-probe"]["spec"]["template"]["metadata"]["labels"]
    monitor = resources["PodMonitor", "graft-probe"]["spec"]
    assert monitor["selector"]["matchLabels"] == labels
    assert labels[monitor["jobLabel"]] == "probe"
    (endpoint,) = monitor["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"]) == (port["name"], "/metrics")
    (secret,) = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
    assert secret["defaultMode"] & 0o007 == 0


def test_there_is_time_to_drain(resources: Resources) -> None:
    """A gateway's grace period covers the pause before SIGTERM, the delay at 503 and the longest request."""
    container, pod = container_of(resources, "graft-gateway"), pod_of(resources, "graft-gateway")
    variables = variables_of(container)
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    delay = float(variables["GATEWAY_SHUTDOWN_DELAY_SECONDS"])
    longest = Settings(models=("flowers",)).request_timeout_seconds + 1
    assert pod["terminationGracePeriodSeconds"] > pause + delay + longest
    probe = container["readinessProbe"]
    assert delay >= probe["periodSeconds"] * probe["failureThreshold"], "it would stop before it counts as not ready"


def test_the_model_server_understands_what_it_is_told(resources: Resources) -> None:
    """The flags are our model server's too, and whatever they name is mounted."""
    container = container_of(resources, "graft-model-server")
    model = variables_of(container)["GRAFT_MODEL"]
    pairs = (flag.replace("$(GRAFT_MODEL)", model).removeprefix("--").partition("=") for flag in container["args"])
    flags = {name: value for name, _, value in pairs}
    ModelServerSettings(**flags)
    assert flags["model_base_path"] == f"/models/{flags['model_name']}"
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert {"/models", "/etc/graft"} <= mounts
    files = resources["ConfigMap", "graft-model-server"]["data"]
    for flag in ("monitoring_config_file", "batching_parameters_file"):
        assert flags[flag].removeprefix("/etc/graft/") in files


def test_the_same_flags_run_in_compose(resources: Resources, production: dict[str, Any]) -> None:
    """Kubernetes and compose give the model server the same flags."""
    there = production["services"]["model-server"]["command"]
    here = container_of(resources, "graft-model-server")["args"]
    assert [flag.replace("$(GRAFT_MODEL)", "flowers") for flag in here] == there


def test_only_gateways_and_prometheus_reach_the_model_server(resources: Resources) -> None:
    """The gRPC port is open to gateways, the port for metrics to Prometheus, and the model server asks nobody."""
    spec = resources["NetworkPolicy", "graft-model-server"]["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["egress"] == []
    who = {
        rule["ports"][0]["port"]: [list(peer["podSelector"]["matchLabels"].values())[-1] for peer in rule["from"]]
        for rule in spec["ingress"]
    }
    assert who == {"grpc": ["gateway"], "metrics": ["prometheus"]}


def test_autoscalers_follow_what_their_own_pods_use(resources: Resources) -> None:
    """Each Deployment leaves its replicas to its autoscaler, which counts processor time and nothing else.

    Requests in flight or queued at a gateway grow when the model server is slow, and more gateways make it slower.
    """
    for name in DEPLOYMENTS:
        assert "replicas" not in resources["Deployment", name]["spec"]
        spec = resources["HorizontalPodAutoscaler", name]["spec"]
        assert spec["scaleTargetRef"]["name"] == name
        assert spec["minReplicas"] >= 2
        assert [(each["type"], each["resource"]["name"]) for each in spec["metrics"]] == [("Resource", "cpu")]


def test_monitors_scrape_ports_that_services_have(resources: Resources) -> None:
    """A ServiceMonitor names ports of its Service, and a job as in prometheus.yml; their schema is not Kubernetes's."""
    for name, path in (
        ("graft-gateway", "/metrics"),
        ("graft-model-server", "/monitoring/prometheus/metrics"),
    ):
        monitor, service = resources["ServiceMonitor", name], resources["Service", name]
        assert monitor["apiVersion"] == "monitoring.coreos.com/v1"
        assert monitor["spec"].keys() == {"jobLabel", "selector", "endpoints"}
        assert service["metadata"]["labels"][monitor["spec"]["jobLabel"]] == name.removeprefix("graft-")
        (endpoint,) = monitor["spec"]["endpoints"]
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
        assert endpoint["path"] == path
    (gateway,) = resources["ServiceMonitor", "graft-gateway"]["spec"]["endpoints"]
    assert gateway["authorization"] == {
        "type": "Bearer",
        "credentials": {"name": "graft-prometheus-key", "key": "key"},
    }


def test_jobs_are_called_as_in_the_scrape_configuration(resources: Resources) -> None:
    """The jobs of prometheus.yml are the components that the ServiceMonitors take for jobs."""
    scraped = yaml.safe_load((RULES.parent / "prometheus.yml").read_text())["scrape_configs"]
    monitored = {name.removeprefix("graft-") for kind, name in resources if kind in {"ServiceMonitor", "PodMonitor"}}
    assert monitored <= {each["job_name"] for each in scraped}


def test_the_rules_are_those_of_prometheus(resources: Resources) -> None:
    """The PrometheusRule holds every group of every rule file, each with its rules, and nothing else."""
    rule = resources["PrometheusRule", "graft"]
    groups = [group for file in sorted(RULES.glob("*.yml")) for group in yaml.safe_load(file.read_text())["groups"]]
    assert groups
    assert rule["spec"] == {"groups": groups}
    for group in groups:
        assert group.keys() <= {"name", "interval", "rules", "limit", "labels"}
        assert all(("alert" in each) != ("record" in each) and each["expr"] for each in group["rules"])


@pytest.mark.parametrize("name", sorted(generated()))
def test_generated_files_are_up_to_date(name: str) -> None:
    """A generated file is what its script writes now."""
    assert (TARGET / name).read_text() == generated()[name], "run `make kubernetes-files`"
