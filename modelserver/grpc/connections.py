"""How many connections clients may hold, so that descriptors are left for everything else.

A process that is out of descriptors cannot even load a version: 200 idle connections ended a server that was allowed
64. So connections are refused before that.
"""

import resource

_RESERVE = 48
"""Descriptors that are not for clients of gRPC: listeners, files of versions that are loaded, clients of metrics."""
_FEWEST = 4
_HANDSHAKE_MILLIS = 10_000
_IDLE_MILLIS = 300_000


def raise_descriptor_limit() -> None:
    """Let this process open as many files as the system allows it to; by default it may open fewer."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    except (ValueError, OSError):  # macOS has a lower bound than the one that it tells
        return


def connection_options(max_connections: int) -> dict[str, int]:
    """Return gRPC's options for at most so many connections, fewer where there are not enough descriptors.

    A connection that says nothing in ten seconds, or has had no call for five minutes, is closed.
    """
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        descriptors = max_connections + _RESERVE
    return {
        "grpc.max_allowed_incoming_connections": max(min(max_connections, descriptors - _RESERVE), _FEWEST),
        "grpc.server_handshake_timeout_ms": _HANDSHAKE_MILLIS,
        "grpc.max_connection_idle_ms": _IDLE_MILLIS,
    }
