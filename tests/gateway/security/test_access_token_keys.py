"""The issuer's keys over HTTP: fetched when needed, kept while the issuer is away, and never fetched too often."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from contract.errors import ContractError
from gateway.errors import InvalidCredentialsError, TokensUnverifiableError
from gateway.security.bearer_tokens import BearerTokens
from gateway.security.token_keys import KEEP_SECONDS, REFRESH_SECONDS, RETRY_SECONDS, FetchedKeys, FileKeys
from tests.gateway.running import running_gateway
from tests.gateway.security.api_keys import bearer
from tests.gateway.security.issuer import AUDIENCE, ISSUER, Issuer
from tests.gateway.waiting import wait_until


class Clock:
    """A monotonic clock that a test moves, in seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def issuer() -> Issuer:
    """An issuer with one key."""
    issuer = Issuer()
    issuer.add_key("first")
    return issuer


@pytest.fixture
def url(issuer: Issuer) -> Iterator[str]:
    """Where the issuer shows its keys."""
    with issuer.serving() as url:
        yield url


def with_tokens(url: str, clock: Clock, scenario: Callable[[BearerTokens], Awaitable[None]]) -> None:
    """Tell a scenario about tokens that are believed by the keys at a URL."""

    async def tell() -> None:
        await scenario(BearerTokens(ISSUER, AUDIENCE, FetchedKeys(url, clock)))

    asyncio.run(tell())


async def is_believed(tokens: BearerTokens, token: str) -> bool:
    """Say whether a token is believed."""
    try:
        await tokens.caller_of(token.encode(), time.time())
    except InvalidCredentialsError:
        return False
    return True


async def fetches(issuer: Issuer, count: int) -> None:
    """Return once the URL was asked so often."""
    await asyncio.to_thread(wait_until, lambda: issuer.fetched >= count)


def test_keys_are_fetched_once_for_many(issuer: Issuer, url: str) -> None:
    """Twenty callers at once with different tokens cause one fetch, and the next ones none for five minutes."""
    clock = Clock()

    async def scenario(tokens: BearerTokens) -> None:
        issuer.pause = 0.1
        called = await asyncio.gather(*(is_believed(tokens, issuer.token(sub=str(number))) for number in range(20)))
        assert all(called)
        clock.now += REFRESH_SECONDS - 1
        assert await is_believed(tokens, issuer.token())
        assert issuer.fetched == 1

    with_tokens(url, clock, scenario)


def test_old_keys_are_fetched_anew_while_they_still_serve(issuer: Issuer, url: str) -> None:
    """After five minutes the keys are fetched again beside the requests: none of them waits for a slow issuer."""
    clock = Clock()

    async def scenario(tokens: BearerTokens) -> None:
        old = issuer.token()
        assert await is_believed(tokens, old)
        issuer.shown.clear()
        issuer.add_key("second")
        issuer.pause = 3
        clock.now += REFRESH_SECONDS + 1
        started = time.monotonic()
        assert await is_believed(tokens, issuer.token("first"))
        assert time.monotonic() - started < 2.5, "it did not wait for the issuer"
        issuer.pause = 0
        await fetches(issuer, 2)
        async with asyncio.timeout(10):
            while await is_believed(tokens, old):
                await asyncio.to_thread(time.sleep, 0.01)
        assert await is_believed(tokens, issuer.token("second"))

    with_tokens(url, clock, scenario)


def test_a_new_key_is_looked_for(issuer: Issuer, url: str) -> None:
    """A token of a key that was not there causes a fetch at once, if the last one is half a minute ago."""
    clock = Clock()

    async def scenario(tokens: BearerTokens) -> None:
        assert await is_believed(tokens, issuer.token())
        issuer.add_key("second")
        assert not await is_believed(tokens, issuer.token())
        clock.now += RETRY_SECONDS
        assert await is_believed(tokens, issuer.token())
        assert issuer.fetched == 2

    with_tokens(url, clock, scenario)


def test_invented_key_ids_do_not_bother_the_issuer(issuer: Issuer, url: str) -> None:
    """A hundred tokens with key ids that nobody knows cause one fetch in half a minute."""
    clock = Clock()

    async def scenario(tokens: BearerTokens) -> None:
        assert await is_believed(tokens, issuer.token())
        clock.now += RETRY_SECONDS
        stranger = Issuer()
        for number in range(100):
            stranger.add_key(f"invented-{number}", stranger.private.get("invented-0", (None,))[0])
            assert not await is_believed(tokens, stranger.token())
        assert issuer.fetched == 2

    with_tokens(url, clock, scenario)


@pytest.mark.parametrize(
    "response", [(500, b"down"), (200, b"no json"), (200, b"[]"), (200, b'{"keys": []}'), (302, b""), (200, b"\xff")]
)
def test_an_issuer_that_fails_is_one_clear_error(
    issuer: Issuer, url: str, response: tuple[int, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """Where the keys were never had, a token cannot be judged: that is the gateway's trouble, and one line in its log.

    Keys that were had stay for an hour. The next try is half a minute later.
    """
    clock = Clock()
    good_token = issuer.token()
    issuer.response = response

    async def scenario(tokens: BearerTokens) -> None:
        for _ in range(3):
            with pytest.raises(TokensUnverifiableError):
                await tokens.caller_of(good_token.encode(), time.time())
        assert (issuer.fetched, len(caplog.records)) == (1, 1)
        issuer.response = None
        clock.now += RETRY_SECONDS
        assert await is_believed(tokens, good_token)
        issuer.response = response
        clock.now += KEEP_SECONDS - 1
        assert await is_believed(tokens, good_token)
        await fetches(issuer, 3)
        clock.now += 1 + RETRY_SECONDS
        with pytest.raises(TokensUnverifiableError):
            await tokens.caller_of(good_token.encode(), time.time())

    with caplog.at_level(logging.ERROR, "gateway.security.token_keys"):
        with_tokens(url, clock, scenario)
    assert url in caplog.records[0].getMessage()


def test_an_issuer_that_is_not_there_is_a_503(issuer: Issuer) -> None:
    """A gateway whose issuer cannot be reached starts, answers tokens with 503 and Retry-After, and health with 200."""
    with issuer.serving() as url:
        pass
    with running_gateway(jwt_issuer=ISSUER, jwt_audience=AUDIENCE, jwt_jwks=url) as gateway:
        response = gateway.get("/v1/models", headers=bearer(issuer.token()))
        assert (response.status_code, response.json()["code"]) == (503, "tokens_unverifiable")
        assert "retry-after" in response.headers
        assert url not in response.text
        assert gateway.get("/livez").status_code == 200


def test_a_slow_issuer_does_not_hold_up_others(issuer: Issuer, url: str) -> None:
    """While keys are being fetched the event loop answers other requests; then the token is believed."""
    issuer.pause = 1.0
    with running_gateway(jwt_issuer=ISSUER, jwt_audience=AUDIENCE, jwt_jwks=url) as gateway:

        async def call_both() -> None:

            async with httpx.AsyncClient(base_url=gateway.base_url, trust_env=False, timeout=30) as client:
                calling = asyncio.create_task(client.get("/v1/models", headers=bearer(issuer.token())))
                await fetches(issuer, 1)
                for _ in range(5):
                    assert (await client.get("/livez")).status_code == 200
                assert not calling.done()
                assert (await calling).status_code == 200

        asyncio.run(call_both())


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read"),
        ("{", "is broken"),
        ("[]", "is broken"),
        ('{"keys": 5}', "is broken"),
        ('{"keys": []}', "did not contain any keys"),
        ('{"keys": [{"kty": "oct", "k": "c2VjcmV0LWNhbmFyeQ", "kid": "a"}]}', "no key for an asymmetric signature"),
    ],
)
def test_a_jwks_file_has_to_hold_a_public_key(tmp_path: Path, content: str | None, sentence: str) -> None:
    """A file that is missing, broken or has only shared secrets is refused at the start, in one sentence."""
    path = tmp_path / "jwks.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ContractError, match=sentence) as refused:
        FileKeys(path)
    assert str(path) in str(refused.value)
    assert "c2VjcmV0" not in str(refused.value)


def test_a_token_without_a_key_id_needs_a_single_key(tmp_path: Path, issuer: Issuer) -> None:
    """Where the issuer has one key a token need not name it; where it has two, it must."""
    keys = FileKeys(issuer.write(tmp_path / "one.json"))
    issuer.add_key("second")
    several = FileKeys(issuer.write(tmp_path / "two.json"))
    assert None in asyncio.run(keys.keys(None))
    assert None not in asyncio.run(several.keys(None))
