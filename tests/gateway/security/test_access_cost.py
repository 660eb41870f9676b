"""What access costs a request: nothing where it is off, and microseconds where it is on."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.types import Receive, Scope, Send

from gateway.app import create_app
from gateway.http.routing import authorize
from gateway.security.access import Access, Authenticator
from tests.cpu_time import slowness
from tests.gateway.observations import observation_of
from tests.gateway.running import settings_for
from tests.gateway.security.api_keys import Keys
from tests.gateway.security.issuer import AUDIENCE, ISSUER, Issuer

ROUNDS, CALLS = 20, 300
KEY_SECONDS, TOKEN_SECONDS = 15e-6, 30e-6
USUAL_HEADERS = [
    (b"host", b"gateway:8000"),
    (b"user-agent", b"python-httpx/0.28.1"),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"gzip, deflate"),
    (b"connection", b"keep-alive"),
    (b"content-type", b"image/jpeg"),
    (b"content-length", b"30000"),
]


async def _respond_with_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Stand for the application, whose route has the caller authorized."""
    await authorize(scope, "predict")


async def _never(*_: Any) -> Any:
    raise AssertionError("a request that was let in is not answered by the middleware, and its body is not read")


def seconds_of_access(credentials: str, **settings: Any) -> float:
    """Return the processor time that access adds to a request with these credentials, in the best of some rounds."""
    authenticator = Authenticator.for_settings(settings_for(**settings))
    assert authenticator is not None
    headers = [*USUAL_HEADERS, (b"authorization", b"Bearer " + credentials.encode())]
    state = {"context": observation_of()}

    async def seconds(app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> float:
        started = time.thread_time()
        for _ in range(CALLS):
            await app({"type": "http", "path": "/v1/predict", "headers": headers, "state": {**state}}, _never, _never)
        return (time.thread_time() - started) / CALLS

    async def best(app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> float:
        return min([await seconds(app) for _ in range(ROUNDS)])

    return asyncio.run(best(Access(_respond_with_nothing, authenticator))) - asyncio.run(best(_respond_with_nothing))


def test_a_key_costs_less_than_15_microseconds(tmp_path: Path) -> None:
    """A valid key among a hundred, with all limits, is found, compared and counted in under 15 quiet microseconds."""
    keys = Keys(tmp_path / "keys.json")
    made = [keys.add(rate_per_second=1e9, burst=10**9, max_in_flight=5) for _ in range(100)]
    assert seconds_of_access(made[50], api_keys_file=keys.path) < KEY_SECONDS * slowness()


def test_a_token_that_was_proved_is_remembered(tmp_path: Path) -> None:
    """A token that comes again costs under 30 microseconds; proving it anew takes several times that."""
    issuer = Issuer()
    issuer.add_key("first")
    jwks = issuer.write(tmp_path / "jwks.json")
    tokens = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwt_jwks": str(jwks)}
    assert seconds_of_access(issuer.token(), **tokens) < TOKEN_SECONDS * slowness()


def test_access_that_is_off_is_not_there(tmp_path: Path) -> None:
    """Without keys and tokens the application has no such middleware; with them it has one."""
    keys = Keys(tmp_path / "keys.json")
    keys.add()
    for given, count in (({}, 0), ({"api_keys_file": keys.path}, 1)):
        kinds = [each.cls for each in create_app(settings_for(**given)).user_middleware]
        assert kinds.count(Access) == count  # type: ignore[arg-type]
