"""Authentication, authorization and rate limits. Not installed if no credentials are configured.

The health endpoints need no credentials, because probes have no key. Neither does the API description: it is not
secret, and a browser could not show it otherwise. `/metrics` needs the scope `operate`, and every other path, unknown
ones included, the scope `predict`. The route that matched says which it is (`gateway.http.routing`).
"""

import ipaddress
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import (
    BadSettingError,
    ForbiddenError,
    InvalidCredentialsError,
    MissingCredentialsError,
)
from gateway.http.routing import Needed, authorize, set_authorize
from gateway.predict.request_context import context_of
from gateway.security.api_keys import KEY_PREFIX, Keyring
from gateway.security.callers import Caller, Permission
from gateway.security.rate_limits import RateLimiter, RateLimiters
from gateway.security.tls import check_tls
from gateway.settings import Settings

if TYPE_CHECKING:
    from gateway.security.bearer_tokens import BearerTokens
    from gateway.security.token_keys import TokenKeySource

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
    """Check that the gateway may start with these settings: credentials are required where needed, and files are valid.

    Raises:
        BadSettingError: anyone who can reach the host could send requests, the token settings are incomplete, or a
            certificate cannot be used.
        ContractError: the keys file or the JWKS file cannot be read.
    """
    check_tls(settings)
    if Authenticator.for_settings(settings) is None and not settings.insecure and not _is_loopback(settings.host):
        raise BadSettingError(
            f"Anyone who can reach {settings.host} could send requests; set api_keys_file (see `graft keys create`)"
            " or jwt_issuer, jwt_audience and jwt_jwks, or allow it with --insecure (GATEWAY_INSECURE=true)."
        )


def install_access(app: FastAPI, settings: Settings) -> Keyring | None:
    """Add the middleware for access and CORS, if configured; return the API keys, None without a keys file.

    Middleware added to `app` afterwards wraps both; `RequestMiddleware` must be added after this.

    Raises:
        BadSettingError: the token settings are incomplete.
        ContractError: the keys file or the JWKS file cannot be read.
    """
    authenticator = Authenticator.for_settings(settings)
    if authenticator is not None:
        app.router.default = _UnknownPath(app.router.default)
        app.add_middleware(Access, authenticator=authenticator)
    if settings.cors_origins:  # outermost, because a browser's preflight request has no credentials
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST"),
            allow_headers=_SENDABLE_HEADERS,
            expose_headers=_READABLE_HEADERS,
        )
    return None if authenticator is None else authenticator.keyring


class Authenticator:
    """Authenticates and authorizes each request, and applies its caller's limits."""

    def __init__(self, keyring: Keyring | None, tokens: "BearerTokens | None") -> None:
        self.keyring = keyring
        self._tokens = tokens
        self._rate_limiters = RateLimiters()

    @classmethod
    def for_settings(cls, settings: Settings) -> "Authenticator | None":
        """Return the authenticator for the settings, None if they configure no keys or tokens.

        Raises:
            BadSettingError: the token settings are incomplete.
            ContractError: the keys file or the JWKS file cannot be read.
        """
        keyring = None if settings.api_keys_file is None else Keyring(settings.api_keys_file)
        tokens = _tokens_for(settings)
        return cls(keyring, tokens) if keyring or tokens else None

    async def admit(self, scope: Scope, needed: Permission) -> RateLimiter | None:
        """Authorize a request; return the limiter to release after the response, None if the key has none.

        Records the caller's public id in the request's context.

        Raises:
            AccessError: the request is rejected.
        """
        caller = await self._caller_of(scope)
        context_of(scope).caller = caller.id
        if needed not in caller.permissions:
            raise ForbiddenError(f"These credentials lack the scope {needed}, which {scope['path'][:50]} requires.")
        if caller.limits is None:
            return None
        rate_limiter = self._rate_limiters.of(caller.id, caller.limits)
        rate_limiter.take()
        return rate_limiter

    async def _caller_of(self, scope: Scope) -> Caller:
        """Return the caller in the headers. `X-API-Key` takes precedence: proxies may use `Authorization`."""
        presented, is_key = _credentials(scope)
        if is_key or self._tokens is None:
            if self.keyring is None:
                raise InvalidCredentialsError("API keys are not accepted here; send a token as Authorization: Bearer.")
            return self.keyring.caller_of(presented, time.time())
        return await self._tokens.caller_of(presented, time.time())


class Access:
    """ASGI middleware: the route that matches a request has its caller authorized, or raises an AccessError."""

    def __init__(self, app: ASGIApp, authenticator: Authenticator) -> None:
        self._app = app
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and release its limiter."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        decision = _Decision(self._authenticator, scope, send)
        set_authorize(scope, decision.authorize)
        try:
            await self._app(scope, receive, decision.send)
        finally:
            decision.release()


class _Decision:
    """Whether one request is permitted; there is no response of a route that did not have it decided."""

    __slots__ = ("_authenticator", "_is_made", "_rate_limiter", "_scope", "_send")

    def __init__(self, authenticator: Authenticator, scope: Scope, send: Send) -> None:
        self._authenticator = authenticator
        self._scope = scope
        self._send = send
        self._is_made = False
        self._rate_limiter: RateLimiter | None = None

    async def authorize(self, needed: Needed) -> None:
        self._is_made = True
        if needed is not None:
            self._rate_limiter = await self._authenticator.admit(self._scope, Permission(needed))

    async def send(self, message: Message) -> None:
        if not self._is_made:
            raise RuntimeError("a route responded without a decision about access")
        await self._send(message)

    def release(self) -> None:
        if self._rate_limiter is not None:
            self._rate_limiter.give_back()


class _UnknownPath:
    """The application for paths without a route: whoever may not predict does not learn which paths there are."""

    def __init__(self, respond: ASGIApp) -> None:
        self._respond = respond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await authorize(scope, "predict")
        await self._respond(scope, receive, send)


def _credentials(scope: Scope) -> tuple[bytes, bool]:
    """Return the credentials, and whether they are an API key.

    Raises:
        MissingCredentialsError: there are none.
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
    from gateway.security.bearer_tokens import BearerTokens  # noqa: PLC0415 - loads a library that API keys do not need

    return BearerTokens(wanted["jwt_issuer"], wanted["jwt_audience"], _key_source(wanted["jwt_jwks"]))


def _key_source(where: str) -> "TokenKeySource":
    from gateway.security.token_keys import FetchedKeys, FileKeys  # noqa: PLC0415

    if "://" not in where:
        return FileKeys(Path(where))
    url = urlsplit(where)
    if url.scheme != "https" and not (url.scheme == "http" and _is_loopback(url.hostname or "")):
        raise BadSettingError(
            f"jwt_jwks is {where}; it must be a file or an https URL, because over http an attacker could forge tokens."
        )
    return FetchedKeys(where)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
