"""Whose processor time is measured: what was named, or what listens at the port, if it is the service itself."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from graft.actions.bench.processes import NotFoundHereError, described, listening_tree, named_tree
from graft.traffic.connection import Endpoint

_LISTEN = """
import os, socket, sys
listener = socket.create_server((sys.argv[1], 0))
port = listener.getsockname()[1]
if os.fork():
    os.wait()
else:
    print(port, flush=True)
    sys.stdin.read()
"""


@contextmanager
def listener(host: str = "127.0.0.1", executable: str = sys.executable) -> Iterator[tuple[int, int]]:
    """Run a process that listens, with a child that has the same socket; yield the process's id and the port."""
    command = [executable, "-c", _LISTEN, host]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process.pid, int(process.stdout.readline())
        assert process.stdin
        process.stdin.close()


@pytest.mark.parametrize(
    ("at", "url_host"),
    [("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "localhost"), ("", "127.0.0.1")],
)
def test_what_listens_at_the_port_is_found(at: str, url_host: str) -> None:
    """At the address itself or at all; of a process and the child that shares its socket, the tree counts once."""
    with listener(at) as (pid, port):
        tree = listening_tree(Endpoint(port, url_host))
        assert tree.pid == pid
        assert [found for found, _ in described(tree)] == [pid, psutil.Process(pid).children()[0].pid]


def test_an_address_of_this_machine_is_this_machine() -> None:
    """The address of a network card is as good as loopback."""
    addresses = [
        each.address
        for name, found in psutil.net_if_addrs().items()
        for each in found
        if each.family == socket.AF_INET and not each.address.startswith("127.")
    ]
    if not addresses:
        pytest.skip("this machine has no network card")
    with listener("") as (pid, port):
        assert listening_tree(Endpoint(port, addresses[0])).pid == pid


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("192.0.2.1", "192.0.2.1 is not this machine"),
        ("nowhere.invalid", "the address of nowhere.invalid is not known"),
    ],
)
def test_another_machine_is_said(host: str, reason: str) -> None:
    """Its processes are not looked for here, whoever listens at the same port."""
    with listener() as (_, port), pytest.raises(NotFoundHereError, match=reason):
        listening_tree(Endpoint(port, host))


def test_a_port_without_a_listener_is_said() -> None:
    """Such as that of another network namespace."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(NotFoundHereError, match=f"no process that can be seen from here listens at port {port}"):
        listening_tree(Endpoint(port))


def test_who_forwards_a_port_is_not_taken_for_the_service(tmp_path: Path) -> None:
    """The proxy of a container uses hardly any processor time, which would be a fine number, and a wrong one."""
    forwarder = tmp_path / "docker-proxy"
    forwarder.symlink_to(sys.executable)
    with listener(executable=str(forwarder)) as (pid, port), pytest.raises(NotFoundHereError) as raised:
        listening_tree(Endpoint(port))
    assert f"docker-proxy (process {pid}) listens there for a service that runs elsewhere" in str(raised.value)


def test_named_processes_count_once_and_this_one_never() -> None:
    """A process that another of them started is not counted twice, nor is the command among those of its shell."""
    with listener() as (pid, _):
        child = psutil.Process(pid).children()[0].pid
        tree = named_tree([pid, child])
        assert sorted(found for found, _ in described(tree)) == sorted([pid, child])
        shell = named_tree([os.getppid()])
        assert os.getpid() not in [found for found, _ in described(shell)]
        assert pid in [found for found, _ in described(shell)]
    assert tree.ended()
