"""What docker-compose.yml promises, read as podman-compose reads it; tests/containers run it."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from gateway.settings import ENVIRONMENT_PREFIX, Settings
from graft.cli import app
from modelserver.batching.parameters import read_batch_parameters
from modelserver.grpc.metrics_port import metrics_path
from modelserver.settings import ModelServerSettings
from tests.deploy.conftest import EMBEDDED, MAIN, PROFILES, Compose, Config
from tests.deploy.dockerfile import read_dockerfile
from tests.places import ROOT

SERVICES = ("gateway", "model-server", "prometheus", "grafana")
ONCE = ("train", "export", "keys")
OPTIONAL = ("probe", "alertmanager")
VARIANTS = ("production", "embedded")


@pytest.fixture(params=VARIANTS)
def compose(request: pytest.FixtureRequest) -> Compose:
    """Each variant in turn."""
    read: Compose = request.getfixturevalue(request.param)
    return read


def flags_of(service: dict[str, Any]) -> dict[str, str]:
    pairs = (flag.removeprefix("--").partition("=") for flag in service["command"])
    return {name: value for name, _, value in pairs}


def targets(service: dict[str, Any]) -> dict[str, str]:
    """Return what is mounted, by the place in the container."""
    mounts = [volume.split(":") for volume in service.get("volumes", [])]
    return {mount[1]: mount[0] for mount in mounts}


def test_the_services_are_there(compose: Compose) -> None:
    """The service is a gateway, a model server, Prometheus and Grafana; the others have profiles."""
    without_profile = {name for name, service in compose["services"].items() if not service.get("profiles")}
    assert without_profile == set(SERVICES)
    assert {name: compose["services"][name]["profiles"] for name in (*ONCE, *OPTIONAL)} == {
        name: [name] for name in (*ONCE, *OPTIONAL)
    }


@pytest.mark.parametrize("name", [*SERVICES, *OPTIONAL, *ONCE])
def test_containers_have_no_more_rights_than_they_need(compose: Compose, name: str) -> None:
    """Every container has a numeric user, a read-only root, no capabilities, and no way to gain any."""
    service = compose["services"][name]
    assert re.fullmatch(r"[1-9]\d*:\d+", service["user"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert [mount.split(":")[0] for mount in service["tmpfs"]] == ["/tmp"]


@pytest.mark.parametrize("name", [*SERVICES, *OPTIONAL])
def test_services_are_watched_bounded_and_started_again(compose: Compose, name: str) -> None:
    """Every service has a health check, a restart policy, limits of memory and processor, and bounded logs."""
    service = compose["services"][name]
    assert service["restart"] == "unless-stopped"
    test = service["healthcheck"]["test"]
    assert isinstance(test, str) or test[0] == "CMD"
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert service["logging"]["options"]["max-size"]


def test_images_are_pinned_and_name_no_registry(compose: Compose) -> None:
    """Every image has a tag with a version; none names a registry."""
    for service in compose["services"].values():
        name, _, tag = service["image"].partition(":")
        assert re.fullmatch(r"v?\d+\.\d+\.\d+", tag), service["image"]
        assert "." not in name.split("/")[0]


def test_every_image_can_be_given_by_digest(config: Config) -> None:
    """A variable of the environment names each service's image by its digest instead."""
    named = {
        "GRAFT_GATEWAY_IMAGE": ("gateway", "keys", "probe"),
        "GRAFT_MODEL_SERVER_IMAGE": ("model-server",),
        "GRAFT_PIPELINE_IMAGE": ("train", "export"),
        "PROMETHEUS_IMAGE": ("prometheus",),
        "GRAFANA_IMAGE": ("grafana",),
        "ALERTMANAGER_IMAGE": ("alertmanager",),
    }
    images = {name: f"registry.invalid/{name.lower()}@sha256:{'0' * 64}" for name in named}
    for files in ((MAIN,), (MAIN, EMBEDDED)):
        done = config(*files, profiles=PROFILES, GRAFT_MODEL="flowers", **images)
        assert done.returncode == 0, done.stderr
        found = {name: service["image"] for name, service in yaml.safe_load(done.stdout)["services"].items()}
        expected = {service: images[name] for name, services in named.items() for service in services}
        assert found == expected


def test_our_images_are_built_from_targets_of_the_dockerfile(compose: Compose) -> None:
    """What is built names a target of the Dockerfile, and is called after it and the project's version."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    stages = read_dockerfile().stages
    built = [service for service in compose["services"].values() if "build" in service]
    assert built
    for service in built:
        target = service["build"]["target"]
        assert target in stages
        assert service["image"] == f"graft-{target}:{version}"


def test_only_the_gateway_can_be_reached_from_outside(compose: Compose) -> None:
    """The model server publishes nothing, on an internal network alone; what is published is on loopback by default."""
    services = compose["services"]
    assert services["model-server"]["networks"] == ["serving"]
    assert compose["networks"]["serving"]["internal"] is True
    assert "ports" not in services["model-server"]
    assert "expose" not in services["model-server"]
    for name in ("gateway", "prometheus", "grafana", "alertmanager"):
        (port,) = services[name]["ports"]
        assert port.startswith("127.0.0.1:")
    assert "serving" not in services["grafana"]["networks"]
    assert set(services["gateway"]["networks"]) & set(services["prometheus"]["networks"]) == {"serving"}


def test_the_gateway_understands_what_it_is_told(compose: Compose) -> None:
    """Every variable is a setting of the gateway; it asks the model server's gRPC port, and callers for keys."""
    variables = compose["services"]["gateway"]["environment"]
    settings = Settings(**{name.removeprefix(ENVIRONMENT_PREFIX).lower(): value for name, value in variables.items()})
    assert settings.models == ("flowers",)
    assert settings.model_server == "dns:///model-server:8500"
    assert str(settings.api_keys_file) == "/keys/keys.json"
    assert not settings.insecure
    grace = int(compose["services"]["gateway"]["stop_grace_period"].removesuffix("s"))
    assert grace > settings.shutdown_delay_seconds + settings.request_timeout_seconds + 1


def test_the_model_server_understands_what_it_is_told(compose: Compose, file_of: Callable[[str], Path]) -> None:
    """The flags are those of our model server too, and the files that they name are mounted and can be read."""
    service = compose["services"]["model-server"]
    flags = flags_of(service)
    ModelServerSettings(**flags)
    assert flags["model_base_path"] == f"/models/{flags['model_name']}"
    mounted = targets(service)
    assert mounted["/models"] == "./models"
    folder = file_of(mounted["/etc/graft"])
    assert metrics_path(folder / Path(flags["monitoring_config_file"]).name) == "/monitoring/prometheus/metrics"
    parameters = read_batch_parameters(folder / Path(flags["batching_parameters_file"]).name)
    gateway = Settings(models=("flowers",))
    assert parameters.max_batch_size >= gateway.max_images
    assert parameters.batch_timeout_micros == 0
    assert service["environment"]["TF_ENABLE_ONEDNN_OPTS"] == "1"
    assert all(volume.endswith(":ro") for volume in service["volumes"])


def test_the_embedded_file_changes_only_what_runs_the_flags(production: Compose, embedded: Compose) -> None:
    """The embedded variant has another image, entry point and health check for the model server, and nothing else."""
    before, after = production["services"], embedded["services"]
    assert {name: service for name, service in before.items() if name != "model-server"} == {
        name: service for name, service in after.items() if name != "model-server"
    }
    theirs, ours = before["model-server"], after["model-server"]
    assert theirs["image"].startswith("tensorflow/serving:")
    assert ours["image"].startswith("graft-modelserver:")
    changed = {key for key in theirs.keys() | ours.keys() if theirs.get(key) != ours.get(key)}
    assert changed == {"image", "build", "init", "entrypoint", "healthcheck"}
    assert ours["healthcheck"]["test"] == "python -E -s /opt/probe.py grpc 8500", "it has replaced the other one"
    assert ours["entrypoint"][:2] == ["graft", "modelserver"]
    assert {key: production[key] for key in ("networks", "volumes", "secrets")} == {
        key: embedded[key] for key in ("networks", "volumes", "secrets")
    }


def test_secrets_are_files(compose: Compose) -> None:
    """No variable holds a secret: the password and Prometheus's key are files outside of what git and images hold."""
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|TOKEN|KEY", name):
                assert value.startswith(("/run/secrets/", "/keys/")), name
    assert compose["services"]["prometheus"]["secrets"] == ["prometheus-key"]
    assert compose["services"]["grafana"]["secrets"] == ["grafana-password"]
    assert compose["services"]["probe"]["secrets"] == ["probe-key"]
    assert compose["services"]["alertmanager"]["secrets"] == ["page-key", "ticket-url"]
    assert all(secret["file"].startswith("./secrets/") for secret in compose["secrets"].values())
    assert {"/secrets/", "/.env"} <= set((ROOT / ".gitignore").read_text().splitlines())


def test_the_probe_is_a_caller(compose: Compose) -> None:
    """`graft probe` knows its flags; it reaches the gateway as callers do, Prometheus reaches it, and it no server."""
    service = compose["services"]["probe"]
    url, *flags = service["command"]
    given = dict(flag.split("=") for flag in flags)
    known = {option for parameter in get_command(app).commands["probe"].params for option in parameter.opts}  # type: ignore[attr-defined]
    assert given.keys() <= known
    assert url == "http://gateway:8000"
    assert targets(service)[given["--models"]] == "./models"
    assert given["--api-key-file"].removeprefix("/run/secrets/") in service["secrets"]
    assert given["--port"] == service["healthcheck"]["test"][-2] == "9105"
    assert "serving" not in service["networks"]
    assert set(service["networks"]) & set(compose["services"]["gateway"]["networks"]) == {"outside"}
    assert "watching" in {*service["networks"]} & {*compose["services"]["prometheus"]["networks"]}


def test_keys_are_in_a_volume_that_the_gateway_only_reads(compose: Compose) -> None:
    """`keys` writes the volume that the gateway reads, with the same user, and without any network."""
    services = compose["services"]
    assert "keys:/keys:ro" in services["gateway"]["volumes"]
    assert services["keys"]["volumes"] == ["keys:/keys"]
    assert services["keys"]["user"] == services["gateway"]["user"]
    assert services["keys"]["network_mode"] == "none"
    assert services["keys"]["entrypoint"] == ["graft", "keys"]


def test_prometheus_and_grafana_find_their_files(compose: Compose, file_of: Callable[[str], Path]) -> None:
    """What is mounted into Prometheus and Grafana is there, and read-only."""
    for name in ("prometheus", "grafana", "alertmanager"):
        service = compose["services"][name]
        for volume in service["volumes"]:
            source, _, rest = volume.partition(":")
            if source.startswith("."):
                assert file_of(source).exists(), source
                assert rest.endswith(":ro")


@pytest.mark.parametrize("name", ["train", "export"])
def test_the_pipeline_runs_once(compose: Compose, name: str) -> None:
    """Training and export use the pipeline's image, are not started again, and share runs and their lineage."""
    service = compose["services"][name]
    assert service["build"]["target"] == "pipeline"
    assert service["entrypoint"][:2] == ["graft", name]
    assert service["restart"] == "no"
    assert targets(service)["/project/runs"] == "./runs"
    assert service["environment"]["GRAFT_LINEAGE_URL"].startswith("sqlite:////project/runs/")


def test_a_missing_model_is_named_in_one_sentence(config: Config) -> None:
    """Without GRAFT_MODEL nothing starts, and the message says what to write where."""
    done = config(MAIN)
    assert done.returncode != 0
    assert "GRAFT_MODEL" in done.stderr
    assert "write GRAFT_MODEL=NAME into .env" in done.stderr


def test_traces_are_an_addition(config: Config, embedded: Compose) -> None:
    """With one more file both servers send some of their spans, from images with the extra, and are else the same."""
    files, collector = (MAIN, EMBEDDED, "docker-compose.traces.yml"), "http://collector:4317"
    done = config(*files, GRAFT_MODEL="flowers", GRAFT_TRACES=collector)
    assert done.returncode == 0, done.stderr
    traced, untraced = yaml.safe_load(done.stdout)["services"], embedded["services"]
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.01",
    }
    server, gateway = traced["model-server"], traced["gateway"]
    assert server["environment"] == {**untraced["model-server"]["environment"], **variables}
    assert gateway["environment"] == {**untraced["gateway"]["environment"], **variables, "GATEWAY_TRACING": "true"}
    assert server["entrypoint"] == [*untraced["model-server"]["entrypoint"], "--tracing"]
    assert server["command"] == untraced["model-server"]["command"]
    ModelServerSettings(**flags_of(server), tracing=True)
    extras = dict(each.split("=") for each in (*server["build"]["args"], *gateway["build"]["args"]))
    assert extras == {"GATEWAY_EXTRAS": "gateway tracing", "MODELSERVER_EXTRAS": "modelserver tracing"}
    arguments = [each.partition("=")[0] for each in read_dockerfile().stages["requirements"].all("ARG")]
    assert extras.keys() <= set(arguments)
    without = config(*files, GRAFT_MODEL="flowers")
    assert without.returncode != 0
    assert "write GRAFT_TRACES=http://COLLECTOR:4317 into .env" in without.stderr
