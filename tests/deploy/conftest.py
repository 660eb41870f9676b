"""The compose files as podman-compose reads them: merged, with variables filled in."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.places import ROOT

Compose = dict[str, Any]
Config = Callable[..., "subprocess.CompletedProcess[str]"]

MAIN, EMBEDDED = "docker-compose.yml", "docker-compose.embedded.yml"
PROFILES = ("keys", "train", "export", "probe", "alertmanager")


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Return a function that runs `podman-compose config` on files with variables, and with profiles if need be."""
    podman = tmp_path_factory.mktemp("podman") / "podman"
    podman.write_text("#!/bin/sh\necho podman version 5.0.0\n")  # all that `config` asks of it
    podman.chmod(0o755)

    def run(*files: str, profiles: tuple[str, ...] = (), **variables: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "podman_compose", "--podman-path", str(podman)]
        command += [word for profile in profiles for word in ("--profile", profile)]
        command += [word for file in files for word in ("-f", file)]
        environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **variables}
        return subprocess.run(
            [*command, "config"], capture_output=True, text=True, cwd=ROOT, env=environment, check=False
        )

    return run


def _read(config: Config, *files: str) -> Compose:
    done = config(*files, profiles=PROFILES, GRAFT_MODEL="flowers")
    assert done.returncode == 0, done.stderr
    read: Compose = yaml.safe_load(done.stdout)
    return read


@pytest.fixture(scope="session")
def production(config: Config) -> Compose:
    """docker-compose.yml, with every profile."""
    return _read(config, MAIN)


@pytest.fixture(scope="session")
def embedded(config: Config) -> Compose:
    """The same with our model server."""
    return _read(config, MAIN, EMBEDDED)


@pytest.fixture
def file_of() -> Callable[[str], Path]:
    """Return a function from a path in a compose file to the place that it names."""
    return lambda path: (ROOT / path).resolve()
