"""The Dockerfile's promises, as far as reading it can tell; tests/containers build it."""

import json
import re
import subprocess
import sys
import tomllib
from typing import Any

import pytest

from tests.deploy.dockerfile import Dockerfile, read_dockerfile
from tests.places import ROOT

TARGETS = ("gateway", "modelserver", "pipeline")
SCRIPT = ROOT / "deploy" / "docker" / "extra_requirements.py"


@pytest.fixture(scope="module")
def dockerfile() -> Dockerfile:
    """The Dockerfile."""
    return read_dockerfile()


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """The table `project` of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


def required(*extras: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-S", str(SCRIPT), *extras]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


def test_the_base_image_is_an_argument_pinned_by_tag(dockerfile: Dockerfile) -> None:
    """Every stage stands on one argument, whose default has a tag with a version and no registry's name."""
    assert re.fullmatch(r"python:3\.\d+-slim\S*", dockerfile.arguments["PYTHON_IMAGE"])
    roots = {stage.base for stage in dockerfile.stages.values()} - set(dockerfile.stages)
    assert roots == {"${PYTHON_IMAGE}"}


@pytest.mark.parametrize("target", TARGETS)
def test_targets_run_as_nobody_and_hear_sigterm(dockerfile: Dockerfile, target: str) -> None:
    """A target ends with a numeric user other than root, an entry point without a shell, and SIGTERM as its signal."""
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", dockerfile.last(target, "USER"))
    assert json.loads(dockerfile.last(target, "ENTRYPOINT"))[0] == "graft"
    assert dockerfile.last(target, "STOPSIGNAL") == "SIGTERM"
    labels = " ".join(stage_labels for stage in dockerfile.lineage(target) for stage_labels in stage.all("LABEL"))
    for name in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{name}=" in labels


@pytest.mark.parametrize("target", TARGETS)
def test_what_runs_is_copied_and_never_installed(dockerfile: Dockerfile, target: str) -> None:
    """Nothing is installed in a stage that runs; packages come from the stage of the same name that builds."""
    stages = dockerfile.lineage(target)
    assert not any("install " in run and "install -d" not in run for stage in stages for run in stage.all("RUN"))
    assert f"--from={target}-packages /opt/graft /opt/graft" in dockerfile.stages[target].all("COPY")


@pytest.mark.parametrize("target", ["gateway", "modelserver"])
def test_servers_have_a_health_check_without_a_shell(dockerfile: Dockerfile, target: str) -> None:
    """The health check of a server is a Python program of the image in exec form."""
    check = dockerfile.last(target, "HEALTHCHECK").partition(" CMD ")[2]
    assert json.loads(check)[0] == "python"
    assert "/opt/probe.py" in json.loads(check)


def test_every_installation_is_held_to_the_pinned_versions(dockerfile: Dockerfile) -> None:
    """Whatever is downloaded is held to constraints.txt; what is not, may not use the network."""
    runs = [run for stage in dockerfile.stages.values() for run in stage.all("RUN") if " install " in run]
    installs = [run for run in runs if "pip " in run]
    assert len(installs) == 2 * len(TARGETS)
    for run in installs:
        assert "--constraint constraints.txt" in run or "--no-deps --no-index" in run


def test_nothing_is_tied_to_a_processor(dockerfile: Dockerfile) -> None:
    """No instruction names a processor or a build of TensorFlow; pyproject.toml decides which belongs to which."""
    text = " ".join(argument for stage in dockerfile.stages.values() for _, argument in stage.instructions)
    assert not re.search(r"x86|amd64|aarch64|arm64|--platform|tensorflow-cpu", text)


def test_the_wheel_is_built_with_a_compiler(dockerfile: Dockerfile) -> None:
    """Before the code is copied: without its extension, TensorFlow's library would decode all images."""
    words = [word for word, argument in dockerfile.stages["wheel"].instructions if "gcc" in argument or word == "COPY"]
    assert words == ["RUN", "COPY"]


@pytest.mark.parametrize("target", TARGETS)
def test_the_extras_that_the_dockerfile_installs_exist(dockerfile: Dockerfile, target: str) -> None:
    """The script that lists requirements knows every extra that the Dockerfile asks it for."""
    stage = dockerfile.stages["requirements"]
    (lists,) = [run for run in stage.all("RUN") if "extra_requirements" in run]
    for name, _, default in (argument.partition("=") for argument in stage.all("ARG")):
        lists = lists.replace(f"${{{name}}}", default)
    (extras,) = [
        part.removeprefix("python extra_requirements.py ").split(" >")[0].split()
        for part in re.split(r"\s+&&\s+", lists)
        if part.endswith(f"/{target}.txt")
    ]
    assert required(*extras).returncode == 0


def test_requirements_of_an_extra_are_complete(project: dict[str, Any]) -> None:
    """An extra's requirements are its own, those of extras that it names, and those of the project, each once."""
    lines = required("exporter").stdout.splitlines()
    extras = project["optional-dependencies"]
    wanted = {*project["dependencies"], *extras["exporter"], *extras["trainer"], *extras["lineage"]}
    assert set(lines) == {each for each in wanted if not each.startswith(f"{project['name']}[")}
    assert len(lines) == len(set(lines))


def test_an_unknown_extra_is_refused() -> None:
    """An extra that is not there ends the script with exit code 2 and the names of those that are."""
    done = required("gatway")
    assert done.returncode == 2
    assert "gatway" in done.stderr
    assert "gateway" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_build_context_holds_what_is_needed_and_no_secrets(project: dict[str, Any]) -> None:
    """Every package of the project reaches the builder, and nothing that is not named does."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    allowed = {line.removeprefix("!") for line in lines if line.startswith("!")}
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]
    assert {name.removesuffix("*") for name in packages["include"]} <= allowed
    assert {"pyproject.toml", "constraints.txt", project["readme"], "LICENSE"} <= allowed
    assert all((ROOT / name).exists() for name in allowed)
    assert not allowed & {"secrets", "models", "runs", "tests", ".git"}


def test_dependencies_are_installed_before_the_code_is_copied(dockerfile: Dockerfile) -> None:
    """A change of the code leaves the layers with the dependencies as they are."""
    for target in TARGETS:
        copied = [argument for word, argument in dockerfile.stages[f"{target}-packages"].instructions if word != "RUN"]
        lists = f"--from=requirements /requirements/{target}.txt requirements.txt"
        assert copied == ["constraints.txt ./", lists, "--from=wheel /wheel /wheel"]
    assert SCRIPT.name in " ".join(dockerfile.stages["requirements"].all("COPY"))
