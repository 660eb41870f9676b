"""The runbook's commands run as written: queries in a real Prometheus, `graft` by its parser, others by a shell.

`tests/docs/test_curl.py` runs every `curl`.
"""

import io
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from gateway.observability.logs import RequestLog
from graft.cli import app
from tests.deploy.exported_metrics import exported, names_in
from tests.deploy.running_prometheus import running_prometheus
from tests.gateway.observations import observation_of
from tests.gateway.running import settings_for
from tests.places import ROOT

TEXT = (ROOT / "docs" / "runbook.md").read_text()
_BLOCK = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_PROGRAMS = ("docker", "kubectl", "graft", "curl", "openssl", "df", "promtool")
_WITHOUT_A_SERVICE = {"inspect", "docker compose", "docker compose logs"}


def pieces() -> list[str]:
    """Return everything that is written as code, in one line each."""
    found = [*_BLOCK.findall(TEXT), *_INLINE.findall(_BLOCK.sub("", TEXT))]
    return [re.sub(r"\s+", " ", each).strip() for each in found]


def commands(*programs: str) -> list[str]:
    """Return the commands that begin with one of these programs."""
    return sorted({each for each in pieces() if each.split()[0] in programs and " " in each})


def queries() -> list[str]:
    """Return every PromQL query: what names a series that is exported."""
    candidates = [each for each in pieces() if each.split()[0] not in _PROGRAMS and "://" not in each]
    return sorted({each for each in candidates if names_in(each) & exported().keys()})


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (apt-get install prometheus)")
def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    """`promtool query instant`, as the runbook says, accepts each of its queries."""
    assert "`promtool query instant $PROM 'QUERY'`" in TEXT
    assert len(queries()) > 15
    with running_prometheus(tmp_path, "key", gateway="127.0.0.1:1", model_server="127.0.0.1:1") as prometheus:
        for query in queries():
            command = ["promtool", "query", "instant", prometheus.url, query]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{query}: {done.stderr}"


@pytest.mark.parametrize("text", commands("graft"))
def test_graft_understands_every_command(text: str) -> None:
    """Each `graft` command has a verb, arguments and options that there are."""
    command: Any = typer.main.get_command(app)
    words = shlex.split(text.partition(" | ")[0])[1:]
    context = command.context_class(command, info_name="graft")
    while hasattr(command, "resolve_command"):
        _, found, words = command.resolve_command(context, words)
        assert found is not None, text
        command, context = found, found.context_class(found, parent=context, info_name=found.name)
    command.parse_args(context, words)


@pytest.mark.parametrize("text", commands(*_PROGRAMS))
def test_a_shell_understands_every_command(text: str) -> None:
    """Each command is one that a shell can read."""
    done = subprocess.run(["bash", "-n", "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text", commands("docker"))
def test_every_service_is_in_the_compose_file(text: str) -> None:
    """Each `docker compose` command names a service of docker-compose.yml."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"].keys()
    words = shlex.split(text.partition(" | ")[0])
    assert text in _WITHOUT_A_SERVICE or words[1] in _WITHOUT_A_SERVICE or set(words) & services, text


def patterns() -> Iterator[str]:
    """Yield each pattern with which the gateway's log is searched for a field."""
    for text in pieces():
        if " | grep " in text and '"' in text:
            yield shlex.split(text.partition(" | grep ")[2])[-1]


def test_the_log_is_searched_as_it_is_written() -> None:
    """A field that a `grep` of the runbook looks for is in a line of the log just so."""
    stream = io.StringIO()
    RequestLog(settings_for(), stream).write(observation_of(caller="ID", outcome="ok", status=200), "/v1/predict", 0.1)
    assert json.loads(stream.getvalue())["caller"] == "ID"
    assert list(patterns())
    for pattern in patterns():
        done = subprocess.run(["grep", "-q", pattern], input=stream.getvalue(), text=True, check=False)
        assert done.returncode == 0, pattern
