"""What one key may use: requests a second, requests at once, and what it hears beyond."""

import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from gateway.errors import TooManyRequestsError
from gateway.security.rate_limits import Limits, RateLimiter, RateLimiters
from tests.fakes.model_server import FakeModelServer
from tests.gateway.conftest import StartGateway
from tests.gateway.images import draw
from tests.gateway.security.api_keys import Keys, bearer
from tests.gateway.waiting import wait_until, wait_until_ready

IMAGE = {"Content-Type": "image/jpeg"}


class Clock:
    """A clock that a test moves, in seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def taken(rate_limiter: RateLimiter, tries: int) -> int:
    """Return how many of so many requests are let in, each being answered at once."""
    count = 0
    for _ in range(tries):
        try:
            rate_limiter.take()
        except TooManyRequestsError:
            continue
        rate_limiter.give_back()
        count += 1
    return count


def retry_after(rate_limiter: RateLimiter) -> str:
    """Return when a refused caller may ask again."""
    with pytest.raises(TooManyRequestsError) as refused:
        rate_limiter.take()
    return refused.value.headers["Retry-After"]


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    """At once a key may send its burst; then the rate; and a pause fills no more than the burst."""
    clock = Clock()
    rate_limiter = RateLimiters(clock).of("a", Limits(rate_per_second=2, burst=5))
    assert taken(rate_limiter, 20) == 5
    clock.now += 3
    assert taken(rate_limiter, 20) == 5
    clock.now += 1
    assert taken(rate_limiter, 20) == 2
    clock.now += 3600
    assert taken(rate_limiter, 20) == 5


def test_the_long_term_rate_is_kept() -> None:
    """Over a minute of constant asking a key gets its rate and one burst, not more and not less."""
    clock = Clock()
    rate_limiter = RateLimiters(clock).of("a", Limits(rate_per_second=7.5))
    count = 0
    for _ in range(6000):
        count += taken(rate_limiter, 1)
        clock.now += 0.01
    assert count == pytest.approx(7.5 * 60 + 8, abs=1)


def test_retry_after_is_when_the_next_one_is_let_in() -> None:
    """The refusal tells the whole seconds until a request fits; then it does."""
    clock = Clock()
    rate_limiter = RateLimiters(clock).of("a", Limits(rate_per_second=0.25))
    assert taken(rate_limiter, 2) == 1
    assert retry_after(rate_limiter) == "4"
    clock.now += 1.5
    assert retry_after(rate_limiter) == "3"
    clock.now += 2.5
    assert taken(rate_limiter, 2) == 1


def test_refused_requests_cost_nothing() -> None:
    """Asking while the limit is reached neither takes from the bucket nor counts as in flight."""
    clock = Clock()
    rate_limiter = RateLimiters(clock).of("a", Limits(rate_per_second=1, burst=2, max_in_flight=1))
    rate_limiter.take()
    for _ in range(10):
        assert retry_after(rate_limiter) == "1"
    rate_limiter.give_back()
    assert taken(rate_limiter, 5) == 1


def test_each_key_has_its_own_allowance_and_keeps_it() -> None:
    """One key's use is not another's, and the limits of a file that is read again apply to what was used before."""
    clock = Clock()
    rate_limiters = RateLimiters(clock)
    assert taken(rate_limiters.of("a", Limits(rate_per_second=1, burst=3)), 5) == 3
    assert taken(rate_limiters.of("b", Limits(rate_per_second=1, burst=3)), 5) == 3
    assert taken(rate_limiters.of("a", Limits(rate_per_second=1, burst=3)), 5) == 0
    assert taken(rate_limiters.of("a", Limits(rate_per_second=5, burst=9)), 5) == 0
    clock.now += 1
    assert taken(rate_limiters.of("a", Limits(rate_per_second=5, burst=9)), 20) == 5


def test_too_fast_is_429(start_gateway: StartGateway, tmp_path: Path) -> None:
    """A key beyond its rate gets 429 with Retry-After in the protocol of the path; other keys and health do not."""
    keys = Keys(tmp_path / "keys.json")
    limited, free = keys.add(rate_per_second=0.01, burst=2), keys.add()
    gateway = start_gateway(api_keys_file=keys.path)
    statuses = [gateway.get("/v1/models", headers=bearer(limited)).status_code for _ in range(4)]
    assert statuses == [200, 200, 429, 429]
    native = gateway.post("/v1/predict", content=draw(), headers={**IMAGE, **bearer(limited)})
    assert (native.status_code, native.json()["code"]) == (429, "too_many_requests")
    assert 90 <= int(native.headers["retry-after"]) <= 100
    other = gateway.post("/v2/models/flowers/infer", json={}, headers=bearer(limited))
    assert (other.status_code, list(other.json())) == (429, ["error"])
    assert gateway.get("/v1/models", headers=bearer(free)).status_code == 200
    assert gateway.get("/livez", headers=bearer(limited)).status_code == 200


def test_too_many_at_once_is_429(start_gateway: StartGateway, model_server: FakeModelServer, tmp_path: Path) -> None:
    """A key may have so many requests in progress; once one of them ends, or its caller leaves, the next is let in."""
    keys = Keys(tmp_path / "keys.json")
    key = keys.add(max_in_flight=1)
    gateway = start_gateway(api_keys_file=keys.path)
    wait_until_ready(gateway)
    headers = {**IMAGE, **bearer(key)}

    def send(mark: bytes = b"", seconds: float = 30) -> int:
        return httpx.post(
            gateway.base_url.join("/v1/predict"),
            content=draw(mark=mark),
            headers=headers,
            timeout=seconds,
            trust_env=False,
        ).status_code

    def call_and_leave() -> None:
        with pytest.raises(httpx.ReadTimeout):
            send(b"SLEEP:5 ", 0.5)

    def call_beside(slow: Callable[[], object]) -> None:
        before = len(model_server.predict_requests)
        calling = threading.Thread(target=slow)
        calling.start()
        wait_until(lambda: len(model_server.predict_requests) > before)
        assert send() == 429
        calling.join()
        wait_until(lambda: send() == 200, 3)

    call_beside(lambda: send(b"SLEEP:1 "))
    call_beside(call_and_leave)
