"""Ports that are taken and hosts that are not here, found before anything heavy starts."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.graft.places import Place, make_place
from tests.places import ROOT

GATEWAY = ("gateway", "--model", "colours")
SERVER = ("modelserver", "--model_base_path=/models/colours", "--engine=tensorflow")


@pytest.fixture
def taken() -> Iterator[str]:
    """The number of a port on which something listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield str(server.getsockname()[1])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A folder with a published model, which nobody changes."""
    root = tmp_path_factory.mktemp("place")
    make_place(root, recorded=False)
    return Place(root)


@pytest.mark.parametrize(
    ("arguments", "setting"),
    [
        (("up", "--port", "TAKEN"), "port"),
        ((*GATEWAY, "--port", "TAKEN"), "port"),
        ((*GATEWAY, "--port", "0", "--set", "operations_port=TAKEN"), "operations_port"),
        ((*SERVER, "--port", "TAKEN"), "--port"),
        ((*SERVER, "--port=0", "--rest_api_port=TAKEN"), "--rest_api_port"),
    ],
)
def test_a_taken_port_is_named(place: Place, taken: str, arguments: tuple[str, ...], setting: str) -> None:
    """One line names address, setting and what to do; neither TensorFlow nor a model server was started."""
    done = _run(place, *(each.replace("TAKEN", taken) for each in arguments))
    assert done.returncode == 2, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert f"127.0.0.1:{taken}" in line
    assert f"({setting}): Address already in use; end what listens there" in line
    assert done.stdout == ""


def test_the_port_of_metrics_of_up_is_checked_as_well(place: Place, taken: str) -> None:
    """`graft up` takes the gateway's settings, and so has its second port."""
    done = _run(place, "up", "--port", "0", GATEWAY_OPERATIONS_PORT=taken)
    assert done.returncode == 2
    assert f"Cannot listen on 127.0.0.1:{taken} (operations_port): Address already in use" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("up", "--port", "70000"), "port does not fit"),
        (("up", "--port", "-1"), "port does not fit"),
        (("up", "--insecure", "--host", "203.0.113.1"), "host has to be an address or name of this machine"),
        (("up", "--insecure", "--host", "no.such.host.invalid"), "host has to be an address or name of this machine"),
        (("up", "--insecure", "--host", "a\nb"), "host has to be an address or name of this machine"),
        ((*GATEWAY, "--port", "8123", "--set", "operations_port=8123"), "port and operations_port are both 8123"),
        ((*GATEWAY, "--set", "operations_port=65536"), "operations_port does not fit"),
        ((*SERVER, "--port=65536"), "port does not fit"),
        ((*SERVER, "--port=8123", "--rest_api_port=8123"), "port and rest_api_port are both 8123"),
        ((*SERVER, "--rest_api_port=-1"), "rest_api_port does not fit"),
        ((*SERVER, "--host=203.0.113.1"), "Cannot assign requested address"),
        ((*SERVER, "--host=no.such.host.invalid"), "no.such.host.invalid"),
    ],
)
def test_what_cannot_be_listened_on_is_one_line(place: Place, arguments: tuple[str, ...], said: str) -> None:
    """Numbers that are no port, one port for two purposes, and hosts that are not here."""
    done = place.predict(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 or "\n" in arguments[-1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--name", "birds"), "There is no published model 'birds' under models; there is colours."),
        (("--name", "colours", "--name", "birds"), "There is no published model 'birds' under models"),
        (("--name", "models/colours"), "there is colours"),
        (("--models", "models/colours"), "models/colours is a published model; give --models models."),
        (("--models", "nowhere"), "There is no published model under nowhere; `graft export` makes one."),
    ],
)
def test_models_that_are_not_there_are_told_from_those_that_are(
    place: Place, arguments: tuple[str, ...], said: str
) -> None:
    """The sentence lists what is there, or says how the folder is given."""
    assert said in place.refused("up", *arguments)


def _run(place: Place, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run the command in a process that cannot import TensorFlow."""
    path = {"PYTHONPATH": str(ROOT / "tests" / "fakes" / "no_tensorflow")}
    command = [sys.executable, "-m", "graft", *arguments]
    environment = os.environ | path | settings
    return subprocess.run(
        command, cwd=place.root, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
