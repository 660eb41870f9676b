"""Waiting for what happens soon, with an end."""

import time
from collections.abc import Callable

import httpx


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Return once `condition` holds; fail if it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def wait_until_ready(gateway: httpx.Client) -> None:
    """Return once a gateway answers for all its models; fail if it does not within ten seconds."""
    wait_until(lambda: gateway.get("/readyz").status_code == 200)
