"""Every `curl` command in README and docs/ works as it is written: only addresses and names are those of the test."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from modelserver.grpc.metrics_port import metrics_port
from modelserver.metrics import ModelServerMetrics
from tests.fakes.model_server import FakeModelServer, label_for
from tests.gateway.images import draw
from tests.gateway.running import running_gateway
from tests.gateway.security.api_keys import Keys
from tests.gateway.waiting import wait_until_ready
from tests.places import ROOT

FILES = ("rose.jpg", "tulip.jpg")
METRICS_PATH = "/monitoring/prometheus/metrics"
_IN_A_BLOCK = re.compile(r"^\$ (.*\bcurl .*)$", re.MULTILINE)
_IN_A_LINE = re.compile(r"`(curl [^`]+)`")
_MENTIONED = re.compile(r"\bcurl\s+[^\s`]")
_ADDRESS = re.compile(r"https?://[^/\s\"']+")
_FILE = re.compile(r"@([\w./-]+)|<\s*([\w./-]+)")
_VARIABLE = re.compile(r"\$(\w+)")


@dataclass(frozen=True)
class Command:
    """One command and the page that shows it."""

    page: str
    text: str


def pages() -> list[Path]:
    """Return the pages whose commands are run."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands() -> list[Command]:
    """Return every `curl` command of the pages."""
    return [
        Command(str(page.relative_to(ROOT)), text)
        for page in pages()
        for text in (*_IN_A_BLOCK.findall(page.read_text()), *_IN_A_LINE.findall(page.read_text()))
    ]


@dataclass(frozen=True)
class Place:
    """Where commands run: a folder with images and curl's settings, and what stands for the documented addresses."""

    folder: Path
    key: str
    open_gateway: str
    gateway_with_keys: str
    model_server: str

    def addresses(self, command: str) -> dict[str, str]:
        """Return what replaces each address; a command that sends a key is for a gateway that requires one."""
        gateway = self.gateway_with_keys if "$KEY" in command else self.open_gateway
        return {
            "http://127.0.0.1:8000": gateway,
            "http://gateway:8000": gateway,
            "http://model-server:8501": self.model_server,
        }


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Run a gateway that requires keys and one that does not, before a fake model server, and a port of metrics."""
    if shutil.which("curl") is None:
        pytest.skip("there is no curl here")
    folder = tmp_path_factory.mktemp("curl")
    for name in FILES:
        (folder / name).write_bytes(draw())
    # the status to standard error, without a change to the command
    (folder / ".curlrc").write_text('silent\nnoproxy = "*"\nmax-time = 30\nwrite-out = "%{stderr}%{http_code}\\n"\n')
    keys = Keys(folder / "keys.json")
    key = keys.add("predict", "operate")
    model_server = FakeModelServer()
    model_server.publish("flowers", 1)
    model_server.start()
    with ExitStack() as stack:
        stack.callback(model_server.stop)
        before = {"model_server": model_server.address, "poll_interval_seconds": 0.05}
        open_gateway = stack.enter_context(running_gateway(**before))
        with_keys = stack.enter_context(running_gateway(**before, api_keys_file=keys.path))
        wait_until_ready(open_gateway)
        wait_until_ready(with_keys)
        metrics = ModelServerMetrics(lambda _: True)
        port = stack.enter_context(metrics_port("127.0.0.1", 0, METRICS_PATH, metrics.page))
        first, second = (str(gateway.base_url).rstrip("/") for gateway in (open_gateway, with_keys))
        yield Place(folder, key, first, second, f"http://127.0.0.1:{port}")


def run(place: Place, command: str) -> tuple[str, str]:
    """Run a command in a shell; return its standard output and the statuses of its responses."""
    for written, real in place.addresses(command).items():
        command = command.replace(written, real)
    ended = subprocess.run(
        ["sh", "-c", command.replace("NAME", "flowers")],
        cwd=place.folder,
        env={"PATH": os.environ["PATH"], "CURL_HOME": str(place.folder), "KEY": place.key},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout, ended.stderr.strip()


def test_every_mention_is_a_command_that_is_run() -> None:
    """No page has a command in a form that is not found: over two lines, in a table, or behind another command."""
    mentioned = {str(page.relative_to(ROOT)): len(_MENTIONED.findall(page.read_text())) for page in pages()}
    found = [command.page for command in commands()]
    assert len(found) >= 8
    assert {page: count for page, count in mentioned.items() if count} == {page: found.count(page) for page in found}


@pytest.mark.parametrize("command", commands(), ids=lambda command: f"{command.page}: {command.text}")
def test_a_command_works_as_written(place: Place, command: Command) -> None:
    """The command gets 200, and a prediction is that of the image; its address, files and variables are known here."""
    assert set(_ADDRESS.findall(command.text)) - set(place.addresses(command.text)) == set()
    assert {first or second for first, second in _FILE.findall(command.text)} - {*FILES, "-"} == set()
    assert set(_VARIABLE.findall(command.text)) - {"KEY"} == set()
    output, statuses = run(place, command.text)
    assert statuses == "200"
    if "predict" in command.text:
        assert f'"label":"{label_for(draw())}"' in output.replace(" ", "")
    assert output


def test_a_command_that_is_refused_is_seen(place: Place) -> None:
    """Without its key, and without an image, the same commands get the status that the pages do not promise."""
    without = "curl --data-binary @rose.jpg http://gateway:8000/v1/predict"
    assert run(place, without)[1] == "200"
    assert run(place, f'{without} -H "X-API-Key: wrong$KEY"')[1] == "401"
    assert run(place, without.replace("@rose.jpg", "text"))[1] == "415"
