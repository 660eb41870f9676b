"""The public keys that verify tokens: a JWKS, from a file or from the issuer's URL."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import jwt

from contract.errors import ContractError
from gateway.errors import InvalidCredentialsError, TokensUnverifiableError
from gateway.security.watched_file import WatchedFile

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Asymmetric algorithms only: with HS256 anyone who knows the public key could sign, with `none` anyone at all."""

FETCH_TIMEOUT_SECONDS = 5.0
REFRESH_SECONDS = 300.0
KEEP_SECONDS = 3600.0
RETRY_SECONDS = 30.0

TokenKeys = Mapping[str | None, jwt.PyJWK]
"""The usable keys by their id; a single key can also be found with None."""

_logger = logging.getLogger(__name__)


class TokenKeySource(Protocol):
    """Where the keys come from. A new `TokenKeys` object means that they may have changed."""

    async def keys(self, key_id: str | None) -> TokenKeys:
        """Return the current keys, reloaded if `key_id` is not among them.

        Raises:
            TokensUnverifiableError: there are none at the moment.
        """


class FileKeys:
    """The keys of a JWKS file, which is read again when it changes.

    Raises:
        ContractError: when created, if the file cannot be read or has no usable key.
    """

    def __init__(self, path: Path) -> None:
        self._file = WatchedFile(path, _read_file)

    async def keys(self, key_id: str | None) -> TokenKeys:
        """Return the keys of the file, at most a second old."""
        return self._file.content()


class FetchedKeys:
    """The keys at a URL, fetched in a thread: when first needed, every five minutes, and for an unknown id.

    At most one fetch runs at a time, and none starts within half a minute of the last, so that made-up key ids cannot
    flood the issuer. While the issuer cannot be reached, the last keys stay valid for an hour.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = jwt.PyJWKClient(url, cache_jwk_set=False, timeout=FETCH_TIMEOUT_SECONDS)
        self._clock = clock
        self._keys: TokenKeys = {}
        self._fetched = self._tried = -float("inf")
        self._fetching: asyncio.Task[None] | None = None

    async def keys(self, key_id: str | None) -> TokenKeys:
        """Return the last keys; if the key is missing, after a fetch; if they are old, a fetch starts meanwhile."""
        now = self._clock()
        usable = key_id in self._keys and now - self._fetched < KEEP_SECONDS
        if (not usable or now - self._fetched >= REFRESH_SECONDS) and now - self._tried >= RETRY_SECONDS:
            self._tried = now
            self._fetching = asyncio.create_task(self._fetch())
        if not usable and self._fetching is not None:
            await asyncio.shield(self._fetching)  # a cancelled request must not cancel it for the others
        if self._clock() - self._fetched >= KEEP_SECONDS:
            raise TokensUnverifiableError("Tokens cannot be verified now: the issuer's keys cannot be fetched.")
        return self._keys

    async def _fetch(self) -> None:
        try:
            self._keys = _usable(await asyncio.to_thread(self._client.get_jwk_set))
        except (jwt.PyJWTError, ValueError, OSError, RecursionError) as error:
            _logger.error("The JWKS cannot be fetched from %s: %s.", self._client.uri, error)
        else:
            self._fetched = self._clock()


def _read_file(path: Path) -> TokenKeys:
    try:
        return _usable(jwt.PyJWKSet.from_json(path.read_text()))
    except OSError as error:
        raise ContractError(f"The JWKS file {path} cannot be read ({error.strerror}).") from error
    except (jwt.PyJWTError, ValueError, AttributeError, RecursionError) as error:
        raise ContractError(f"The JWKS file {path} is broken: {str(error).rstrip('.')}.") from error


def _usable(found: jwt.PyJWKSet) -> TokenKeys:
    """Return the signing keys with an asymmetric algorithm.

    Raises:
        jwt.PyJWKSetError: there is none.
    """
    signing = [key for key in found.keys if key.algorithm_name in ALGORITHMS and key.public_key_use in {None, "sig"}]
    if not signing:
        raise jwt.PyJWKSetError("it has no key for an asymmetric signature")
    by_id: dict[str | None, jwt.PyJWK] = {key.key_id: key for key in signing}
    return {None: signing[0], **by_id} if len(signing) == 1 else {k: v for k, v in by_id.items() if k is not None}


def key_of_token(keys: TokenKeys, key_id: str | None) -> jwt.PyJWK:
    """Return the key that a token names.

    Raises:
        InvalidCredentialsError: there is no such key.
    """
    try:
        return keys[key_id]
    except KeyError:
        raise InvalidCredentialsError("The token is signed with an unknown key.") from None
