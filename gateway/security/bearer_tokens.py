"""Bearer tokens: JWTs of one issuer, for one audience, verified with the issuer's public keys."""

import hashlib
from collections import OrderedDict

import jwt

from gateway.errors import InvalidCredentialsError
from gateway.security.callers import Caller, Permission
from gateway.security.token_keys import ALGORITHMS, TokenKeys, TokenKeySource, key_of_token

_LEEWAY_SECONDS = 10  # for clock skew
_MAX_BYTES = 8192
_MAX_REMEMBERED = 4096
_MAX_SUBJECT = 100

_SENTENCES: dict[type[jwt.PyJWTError], str] = {
    jwt.ExpiredSignatureError: "The token has expired.",
    jwt.ImmatureSignatureError: "The token is not valid yet.",
    jwt.InvalidAudienceError: "The token is for another audience.",
    jwt.InvalidIssuerError: "The token is from another issuer.",
    jwt.InvalidSignatureError: "The token's signature is invalid.",
    jwt.InvalidKeyError: "The token is signed with a key that is too short.",
    jwt.InvalidAlgorithmError: "The token is signed with an algorithm that is not accepted.",
}


class BearerTokens:
    """Verifies tokens. Verification takes about 100 microseconds, so verified tokens are cached by their hash."""

    def __init__(self, issuer: str, audience: str, source: TokenKeySource) -> None:
        self._issuer = issuer
        self._audience = audience
        self._source = source
        self._proved_with: TokenKeys = {}
        self._proved: OrderedDict[bytes, tuple[str | None, Caller]] = OrderedDict()

    async def caller_of(self, token: bytes, now: float) -> Caller:
        """Return the caller with this token, at `now` in seconds since 1970; `sub` is its id, `scope` lists its scopes.

        Raises:
            InvalidCredentialsError: it is not a valid token, is from another issuer, for another audience, or expired.
            TokensUnverifiableError: the keys to verify it are not available at the moment.
        """
        digest = hashlib.sha256(token).digest()
        key_id, caller = self._proved.get(digest) or (_key_id(token), None)
        keys = await self._source.keys(key_id)
        if keys is not self._proved_with:  # a key may have been withdrawn
            self._proved_with, caller = keys, None
            self._proved.clear()
        if caller is None or caller.expires <= now:
            caller = self._prove(token, key_of_token(keys, key_id))
            self._remember(digest, key_id, caller)
        return caller

    def _prove(self, token: bytes, key: jwt.PyJWK) -> Caller:
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self._audience,
                issuer=self._issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud"], "enforce_minimum_key_length": True},
            )
        except jwt.PyJWTError as error:
            raise _invalid(error) from None
        return Caller(_subject(claims.get("sub")), _scopes(claims.get("scope")), int(claims["exp"]))

    def _remember(self, digest: bytes, key_id: str | None, caller: Caller) -> None:
        self._proved[digest] = key_id, caller
        if len(self._proved) > _MAX_REMEMBERED:
            self._proved.popitem(last=False)


def _key_id(token: bytes) -> str | None:
    if len(token) > _MAX_BYTES:
        raise InvalidCredentialsError(f"The token has {len(token)} bytes; at most {_MAX_BYTES} are accepted.")
    try:
        key_id = jwt.get_unverified_header(token).get("kid")
    except jwt.PyJWTError as error:
        raise _invalid(error) from None
    return key_id if key_id is None else str(key_id)


def _invalid(error: jwt.PyJWTError) -> InvalidCredentialsError:
    """Return the error with our own message; the library's may contain parts of the token."""
    if isinstance(error, jwt.MissingRequiredClaimError):
        return InvalidCredentialsError(f"The token has no {error.claim} claim.")
    return InvalidCredentialsError(_SENTENCES.get(type(error), "The bearer credentials are neither a key nor a token."))


def _subject(claim: object) -> str:
    """Return a `sub` claim, shortened and printable, for logs."""
    shown = str(claim or "token")[:_MAX_SUBJECT]
    return "".join(letter if letter.isprintable() else "?" for letter in shown)


def _scopes(claim: object) -> frozenset[str]:
    """Return the gateway's scopes in a `scope` claim, which is separated by spaces (RFC 8693, section 4.2)."""
    named = set(claim.split()) if isinstance(claim, str) else set()
    return frozenset(named & set(Permission))
