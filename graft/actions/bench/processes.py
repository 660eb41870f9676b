"""The processes of a service on this machine: those that were named, or those that listen at its port."""

import contextlib
import ipaddress
import os
import socket
from collections.abc import Sequence
from typing import Any

import psutil

from graft.errors import CommandError
from graft.traffic.connection import Endpoint
from graft.traffic.process_tree import ProcessTree, name_of

_FORWARDERS = {"docker-proxy", "rootlessport", "slirp4netns", "pasta", "passt", "ssh", "sshd", "kubectl", "socat"}
"""Programs that listen for a service that runs elsewhere: a container, a cluster, another machine."""


class NotFoundHereError(Exception):
    """The processes of a service cannot be found; the message says why, as the end of a sentence."""


def named_tree(pids: Sequence[int]) -> ProcessTree:
    """Return the trees of processes by their ids.

    Raises:
        CommandError: there is no such process, or it may not be looked at.
    """
    for pid in pids:
        if pid == os.getpid():
            raise CommandError(f"Process {pid} is this command; --pid takes a process of the service.")
        try:
            ended = psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
            psutil.Process(pid).cpu_times()
        except psutil.AccessDenied as error:
            raise CommandError(f"Process {pid} belongs to somebody else, and cannot be looked at.") from error
        except (psutil.NoSuchProcess, OverflowError):
            ended = True
        if ended:
            raise CommandError(f"There is no process {pid}; --pid takes the id of a running process of the service.")
    return ProcessTree(*pids)


def listening_tree(endpoint: Endpoint) -> ProcessTree:
    """Return the trees of the processes that listen where the service does.

    Raises:
        NotFoundHereError: it is on another machine, or its processes cannot be seen or are not those of the service.
    """
    addresses = _addresses_here(endpoint)
    try:
        sockets = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        raise NotFoundHereError("this system shows to administrators alone who listens at a port") from None
    listening = [each for each in sockets if _listens(each, endpoint.port, addresses)]
    if not listening:
        raise NotFoundHereError(f"no process that can be seen from here listens at port {endpoint.port}")
    pids = {each.pid for each in listening if each.pid is not None}
    if not pids:
        raise NotFoundHereError("the service belongs to another user")
    return ProcessTree(*_roots({_first_listener(pid, endpoint.port, addresses) for pid in pids}))


def described(tree: ProcessTree) -> list[tuple[int, str]]:
    """Return the ids and names of the processes of a tree."""
    found = []
    for process in tree.processes():
        try:
            found.append((process.pid, name_of(process)))
        except psutil.NoSuchProcess:
            continue
    return found


def _addresses_here(endpoint: Endpoint) -> set[str]:
    """Return the addresses of the host, all of which are this machine's."""
    try:
        found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except OSError:
        raise NotFoundHereError(f"the address of {endpoint.host} is not known") from None
    addresses = {_plain(str(each[4][0])) for each in found}
    own = {_plain(each.address) for interface in psutil.net_if_addrs().values() for each in interface}
    if not all(address in own or ipaddress.ip_address(address).is_loopback for address in addresses):
        raise NotFoundHereError(f"{endpoint.host} is not this machine")
    return addresses


def _listens(socket_of: Any, port: int, addresses: set[str]) -> bool:
    if socket_of.status != psutil.CONN_LISTEN or socket_of.laddr.port != port:
        return False
    return _plain(socket_of.laddr.ip) in addresses or ipaddress.ip_address(socket_of.laddr.ip).is_unspecified


def _first_listener(pid: int, port: int, addresses: set[str]) -> int:
    """Return the process that opened a socket which others inherited, and of which psutil names but one."""
    first = pid
    with contextlib.suppress(psutil.Error):
        for parent in psutil.Process(pid).parents():
            if not any(_listens(each, port, addresses) for each in parent.net_connections("tcp")):
                break
            first = parent.pid
    return first


def _plain(address: str) -> str:
    """Return an address without its zone; an IPv4 address that is written as IPv6 is IPv4."""
    return address.partition("%")[0].removeprefix("::ffff:")


def _roots(pids: set[int]) -> list[int]:
    """Return those that none of the others started."""
    roots = []
    for pid in sorted(pids):
        try:
            process = psutil.Process(pid)
            if process.name() in _FORWARDERS:
                raise NotFoundHereError(
                    f"{process.name()} (process {pid}) listens there for a service that runs elsewhere"
                )
            if not any(parent.pid in pids for parent in process.parents()):
                roots.append(pid)
        except psutil.NoSuchProcess:
            continue
    if not roots:
        raise NotFoundHereError("the process that listened there has ended")
    return roots
