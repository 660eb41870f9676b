"""Thirty-two clients ask a gateway while its model server is killed and started again, three times."""

import itertools
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx
import pytest

from tests.fakes.made_up_predictions import LABELS, probabilities_for
from tests.fakes.marked_images import marked_image
from tests.fakes.model_server_process import ModelServerProcess
from tests.gateway.gateway_process import gateway_process
from tests.gateway.protocol_requests import PROTOCOLS, probabilities_in, send
from tests.gateway.waiting import wait_until

CLIENTS = 32
DEADLINE_SECONDS = 2.0
GRACE_SECONDS = 3.0
"""What this machine may take to send, schedule and read beside all else that runs on it."""
PAUSE_SECONDS = 0.1
"""How long a client waits between requests; without it this machine would measure its own clients."""
RECOVERY_SECONDS = 15
"""How long it may take after a start until callers of every protocol are answered again."""


@dataclass(frozen=True)
class Experience:
    """What one request came to: `status` is 0 if there was no answer; `end` is on the monotonic clock."""

    protocol: str
    status: int
    seconds: float
    end: float
    own: bool
    honest: bool


def experience(client: httpx.Client, number: int) -> Experience:
    """Ask about an image that nobody else asks about."""
    image, protocol = marked_image(number=number), PROTOCOLS[number % len(PROTOCOLS)]
    started = time.monotonic()
    try:
        prediction = send(client, image, protocol)
    except httpx.HTTPError:
        return Experience(protocol, 0, time.monotonic() - started, time.monotonic(), own=False, honest=False)
    end = time.monotonic()
    own = prediction.status_code != 200 or probabilities_in(prediction, protocol) == pytest.approx(
        sorted(probabilities_for(image, len(LABELS))), rel=1e-5
    )
    honest = prediction.status_code != 503 or "retry-after" in prediction.headers
    return Experience(protocol, prediction.status_code, end - started, end, own, honest)


def be_a_client(url: httpx.URL, first: int, over: threading.Event, seen: list[Experience]) -> None:
    """Ask again and again until it is over, and note what came of it."""
    with httpx.Client(base_url=url, trust_env=False, verify=False, timeout=DEADLINE_SECONDS + 10) as client:
        for number in itertools.count(first, CLIENTS):
            seen.append(experience(client, number))
            if over.wait(PAUSE_SECONDS):
                return


def wait_until_predicted(seen: list[Experience]) -> None:
    """Return when callers of every protocol were answered since now."""
    since = time.monotonic()

    def every_protocol() -> bool:
        return {one.protocol for one in seen if one.status == 200 and one.end > since} == set(PROTOCOLS)

    wait_until(every_protocol, RECOVERY_SECONDS)


def kill_three_times(server: ModelServerProcess, seconds: float, seen: list[Experience]) -> None:
    """Kill and start the server again, three times; each time everybody is answered again, for a while."""
    for _ in range(3):
        wait_until_predicted(seen)
        time.sleep(seconds / 6)
        server.kill()
        time.sleep(seconds / 30)
        server.start()
    wait_until_predicted(seen)
    time.sleep(seconds / 6)


# a minute finds what six seconds find only sometimes, and takes ten times as long
@pytest.mark.parametrize("seconds", [6, pytest.param(60, marks=pytest.mark.slow)])
def test_a_model_server_that_is_killed_three_times(seconds: int) -> None:
    """Every request gets its own answer, or an honest 503 or 504, within its deadline; each restart is noticed soon."""
    server, over = ModelServerProcess(), threading.Event()
    server.start()
    settings = {"request_timeout_seconds": DEADLINE_SECONDS, "circuit_open_seconds": 0.5, "shutdown_delay_seconds": 0}
    seen: list[Experience] = []
    try:
        with gateway_process(server.address, **settings) as gateway:
            with ThreadPoolExecutor(CLIENTS) as threads:
                clients = [
                    threads.submit(be_a_client, gateway.client.base_url, number, over, seen)
                    for number in range(CLIENTS)
                ]
                try:
                    kill_three_times(server, seconds, seen)
                finally:
                    over.set()
                for client in clients:
                    client.result()
            gateway.process.send_signal(signal.SIGTERM)
            assert gateway.process.wait(20) == 0
    finally:
        server.kill()
    counts = Counter((one.protocol, one.status) for one in seen)
    assert {one.status for one in seen} <= {200, 503, 504}, counts
    assert [one for one in seen if not one.own] == []
    assert [one for one in seen if not one.honest] == []
    assert max(one.seconds for one in seen) < DEADLINE_SECONDS + GRACE_SECONDS
    assert sum(one.status == 503 for one in seen) > 0, counts  # else nothing was under fire
