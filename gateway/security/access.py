"""Access: who is it, may they, and within their limits. Not installed at all where everybody may ask.

The health endpoints need nothing: whoever watches a process has no key. Nor does the API's description, which is the
same everywhere, and which a browser could not show otherwise. `/metrics` needs the scope `operate`, and everything
else, paths that are not there included, the scope `predict`.
"""

import ipaddress
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.errors import (
    AccessError,
    BadSettingError,
    ForbiddenError,
    InvalidCredentialsError,
    MissingCredentialsError,
)
from gateway.http.problems import respond_to_error
from gateway.predict.request_context import context_of
from gateway.security.api_keys import KEY_PREFIX, Keyring
from gateway.security.callers import Caller, Permission
from gateway.security.rate_limits import RateLimiter, RateLimiters
from gateway.security.tls import check_tls
from gateway.settings import Settings

if TYPE_CHECKING:
    from gateway.security.bearer_tokens import BearerTokens
    from gateway.security.token_keys import TokenKeySource

OPEN_PATHS = frozenset({"/livez", "/readyz", "/v2/health/live", "/v2/health/ready", "/openapi.json", "/docs"})
OPEN_PREFIX = "/docs/"
OPERATE_PATHS = frozenset({"/metrics"})

_BEARER = b"bearer "
_KEY_PREFIX = KEY_PREFIX.encode()
_SENDABLE_HEADERS = (
    "Authorization",
    "Content-Type",
    "Inference-Header-Content-Length",
    "X-API-Key",
    "X-Request-ID",
    "X-Request-Timeout-Ms",
)
_READABLE_HEADERS = ("Inference-Header-Content-Length", "Retry-After", "WWW-Authenticate", "X-Request-ID")


def check_access(settings: Settings) -> None:
    """Look whether the gateway may start with these settings: who could ask, and the files that say so.

    Raises:
        BadSettingError: everybody who can reach the host could ask, the settings for tokens are not complete, or a
            certificate cannot be used.
        ContractError: the keys file or the JWKS file cannot be read.
    """
    check_tls(settings)
    if Authenticator.for_settings(settings) is None and not settings.insecure and not _is_loopback(settings.host):
        raise BadSettingError(
            f"Everybody who can reach {settings.host} could ask; set api_keys_file (`graft keys create` makes the file)"
            " or jwt_issuer, jwt_audience and jwt_jwks, or allow it with --insecure (GATEWAY_INSECURE=true)."
        )


def install_access(app: FastAPI, settings: Settings) -> Keyring | None:
    """Add the middleware that the settings ask for: access, and around it CORS; none by default. Return the API keys.

    What is added to `app` afterwards is outside of both, and so has to be what gives ids, counts, and bounds bodies.

    Raises:
        ContractError: as `check_access`, about keys and tokens.
    """
    authenticator = Authenticator.for_settings(settings)
    if authenticator is not None:
        app.add_middleware(Access, authenticator=authenticator)
    if settings.cors_origins:  # outside, for a browser asks whether it may send a key without sending it
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST"),
            allow_headers=_SENDABLE_HEADERS,
            expose_headers=_READABLE_HEADERS,
        )
    return None if authenticator is None else authenticator.keyring


class Authenticator:
    """Decides about each request: names its caller, or refuses it."""

    def __init__(self, keyring: Keyring | None, tokens: "BearerTokens | None") -> None:
        self.keyring = keyring
        self._tokens = tokens
        self._rate_limiters = RateLimiters()

    @classmethod
    def for_settings(cls, settings: Settings) -> "Authenticator | None":
        """Return one who knows the keys and tokens of the settings, None where they name none.

        Raises:
            BadSettingError: the settings for tokens are not complete.
            ContractError: the keys file or the JWKS file cannot be read.
        """
        keyring = None if settings.api_keys_file is None else Keyring(settings.api_keys_file)
        tokens = _tokens_for(settings)
        return cls(keyring, tokens) if keyring or tokens else None

    async def admit(self, scope: Scope, needed: Permission) -> RateLimiter | None:
        """Let a request in, or not; return what to give back once it is answered, None where the key has no limits.

        Leaves the caller's public id in the request's context.

        Raises:
            AccessError: it is refused.
        """
        caller = await self._caller_of(scope)
        context_of(scope).caller = caller.id
        if needed not in caller.permissions:
            raise ForbiddenError(f"These credentials have no scope {needed}, which {scope['path'][:50]} needs.")
        if caller.limits is None:
            return None
        rate_limiter = self._rate_limiters.of(caller.id, caller.limits)
        rate_limiter.take()
        return rate_limiter

    async def _caller_of(self, scope: Scope) -> Caller:
        """Return whom the headers name. `X-API-Key` wins: a proxy on the way may use `Authorization` for itself."""
        presented, is_key = _credentials(scope)
        if is_key or self._tokens is None:
            if self.keyring is None:
                raise InvalidCredentialsError("API keys are not accepted here; send a token as Authorization: Bearer.")
            return self.keyring.caller_of(presented, time.time())
        return await self._tokens.caller_of(presented, time.time())


class Access:
    """ASGI middleware: passes on what the doorkeeper lets in, and answers the rest in the protocol of its path."""

    def __init__(self, app: ASGIApp, authenticator: Authenticator) -> None:
        self._app = app
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Admit a request, have it answered, and count it out."""
        if scope["type"] == "lifespan" or (path := scope["path"]) in OPEN_PATHS or path.startswith(OPEN_PREFIX):
            await self._app(scope, receive, send)
            return
        needed = Permission.OPERATE if path in OPERATE_PATHS else Permission.PREDICT
        try:
            rate_limiter = await self._authenticator.admit(scope, needed)
        except AccessError as error:
            await respond_to_error(scope, error)(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            if rate_limiter is not None:
                rate_limiter.give_back()


def _credentials(scope: Scope) -> tuple[bytes, bool]:
    """Return what the caller presents, and whether it is an API key.

    Raises:
        MissingCredentialsError: nothing.
    """
    bearer = b""
    for name, value in scope["headers"]:
        if name == b"x-api-key":
            return value.strip(), True
        if name == b"authorization" and value[: len(_BEARER)].lower() == _BEARER:
            bearer = value[len(_BEARER) :].strip()
    if not bearer:
        raise MissingCredentialsError(
            "The request has no credentials; send an API key or token as Authorization: Bearer, or a key as X-API-Key."
        )
    return bearer, bearer.startswith(_KEY_PREFIX)


def _tokens_for(settings: Settings) -> "BearerTokens | None":
    wanted = {name: getattr(settings, name) for name in ("jwt_issuer", "jwt_audience", "jwt_jwks")}
    missing = [name for name, value in wanted.items() if value is None]
    if len(missing) == len(wanted):
        return None
    if missing:
        raise BadSettingError(f"{', '.join(wanted)} belong together; {' and '.join(missing)} is not set.")
    from gateway.security.bearer_tokens import BearerTokens  # noqa: PLC0415 - brings a library that keys do not need

    return BearerTokens(wanted["jwt_issuer"], wanted["jwt_audience"], _key_source(wanted["jwt_jwks"]))


def _key_source(where: str) -> "TokenKeySource":
    from gateway.security.token_keys import FetchedKeys, FileKeys  # noqa: PLC0415

    if "://" not in where:
        return FileKeys(Path(where))
    url = urlsplit(where)
    if url.scheme != "https" and not (url.scheme == "http" and _is_loopback(url.hostname or "")):
        raise BadSettingError(
            f"jwt_jwks is {where}; it has to be a file or an https URL, or whoever is on the way could forge tokens."
        )
    return FetchedKeys(where)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
