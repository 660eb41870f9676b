"""podman, buildah and podman-compose as commands: what they print, or why they failed."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.places import ROOT

BASE = "python:3.11-slim"


class CommandFailedError(Exception):
    """A command ended with another exit code than 0; the text ends with what it said."""


def run(*command: str | Path, env: Mapping[str, str] | None = None, timeout: float = 900) -> str:
    """Run a command in the repository's folder and return its standard output.

    Raises:
        CommandFailedError: its exit code is not 0.
    """
    words = [str(word) for word in command]
    done = subprocess.run(
        words, capture_output=True, text=True, cwd=ROOT, env={**os.environ, **(env or {})}, timeout=timeout, check=False
    )
    if done.returncode:
        last = (done.stdout + done.stderr)[-4000:]
        raise CommandFailedError(f"{' '.join(words)} ended with {done.returncode}:\n{last}")
    return done.stdout


def inspect(kind: str, name: str) -> dict[str, Any]:
    """Return what podman knows of an image, a container or a network."""
    found: list[dict[str, Any]] = json.loads(run("podman", kind, "inspect", name))
    return found[0]


def free_port() -> int:
    """Return a port of the loopback address that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def build(target: str, tag: str) -> None:
    """Build a target of the Dockerfile as it stands, with layers and downloads cached between runs."""
    # docker's format, for OCI's has no HEALTHCHECK
    flags = ("--isolation", "chroot", "--format", "docker", "--layers", "--target", target, "--tag", tag)
    run("buildah", "bud", *flags, ".")


@dataclass(frozen=True)
class Project:
    """The two compose files under a project's name, with the variables that they are given."""

    name: str
    variables: Mapping[str, str]
    files: Sequence[str] = ("docker-compose.yml", "docker-compose.embedded.yml")

    def compose(self, *arguments: str, timeout: float = 300) -> str:
        """Run podman-compose with these files."""
        files = [word for file in self.files for word in ("-f", file)]
        command = [sys.executable, "-m", "podman_compose", "-p", self.name, *files, *arguments]
        return run(*command, env=self.variables, timeout=timeout)

    def container(self, service: str) -> str:
        """Return the name of a service's container."""
        label = f"label=com.docker.compose.service={service}"
        names = run(
            "podman", "ps", "-a", "--format", "{{.Names}}", "--filter", label, "--filter", f"name={self.name}"
        ).split()
        assert len(names) == 1, names
        return names[0]

    def logs(self) -> str:
        """Return what the services said last, for a message that explains a failure."""
        said = []
        for service in ("gateway", "model-server"):
            shown = subprocess.run(
                ["podman", "logs", "--tail", "40", self.container(service)], capture_output=True, text=True, check=False
            )
            said.append(f"--- {service}\n{shown.stdout}{shown.stderr}")
        return "\n".join(said)
