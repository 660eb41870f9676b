"""A gateway as a process of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import TextIO

import httpx

from tests.gateway.waiting import wait_until_ready


@dataclass(frozen=True)
class RunningGateway:
    """A gateway process that is ready, and a client of it; `operations` is the URL of its last port."""

    process: "subprocess.Popen[str]"
    client: httpx.Client
    operations: str = ""


@contextmanager
def gateway_process(
    model_server: str,
    stderr: TextIO | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
    /,
    **settings: float,
) -> Iterator[RunningGateway]:
    """Run `graft gateway` for the model `flowers` with these settings until the `with` ends; kill it if need be.

    Its log goes to `stderr`, or to that of the tests.
    """
    variables = {f"GATEWAY_{name.upper()}": str(value) for name, value in settings.items()}
    command = [sys.executable, "-m", "graft", "gateway", "--model", "flowers", "--port", "0"]
    with subprocess.Popen(
        [*command, "--model-server", model_server],
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        env={**os.environ, "GATEWAY_POLL_INTERVAL_SECONDS": "0.1", **variables, **environment},
    ) as process:
        try:
            assert process.stdout is not None
            urls = [_url_in(process.stdout.readline()) for _ in range(1 + ("operations_port" in settings))]
            with httpx.Client(base_url=urls[0], trust_env=False, verify=False, timeout=30) as client:
                wait_until_ready(client)
                yield RunningGateway(process, client, urls[-1])
        finally:
            process.kill()


def _url_in(line: str) -> str:
    found = re.search(r"http://[^\s\"]+:[1-9]\d*", line)
    assert found, line
    return found[0]
