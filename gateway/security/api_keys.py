"""API keys: creating, storing and verifying them.

A key has the form `graft_ID_SECRET`. ID, eight hexadecimal digits, is public: it identifies the stored key and may
appear in logs. SECRET holds 256 random bits. Only the SHA-256 of the whole key is stored, so the file does not reveal
it. A slow password hash is not needed: it protects short secrets, and 256 random bits cannot be guessed.
"""

import hashlib
import hmac
import secrets
import stat
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

from contract.errors import ContractError
from gateway.errors import InvalidCredentialsError
from gateway.security.callers import Caller, Permission
from gateway.security.rate_limits import Limits
from gateway.security.watched_file import WatchedFile

KEY_PREFIX = "graft_"
SCHEMA_VERSION = 1

_ID_BYTES = 4
_SECRET_BYTES = 32

_UNKNOWN = "The API key is unknown."


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StoredKey(_Record):
    """One key in the keys file. Several may have the same name, which allows rotation."""

    id: str = Field(pattern=r"^[0-9a-f]{8}$", description="The public part of the key.")
    name: str = Field(min_length=1, max_length=100, description="The owner of the key.")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="The SHA-256 of the whole key, in hexadecimal.")
    scopes: Annotated[tuple[Permission, ...], Field(min_length=1)]
    created: AwareDatetime
    expires: AwareDatetime | None = None
    revoked: AwareDatetime | None = None
    rate_per_second: float | None = Field(None, gt=0, allow_inf_nan=False)
    burst: int | None = Field(None, ge=1)
    max_in_flight: int | None = Field(None, ge=1)

    @property
    def limits(self) -> Limits | None:
        """The key's limits, None if it has none."""
        limits = Limits(self.rate_per_second, self.burst, self.max_in_flight)
        return None if limits == Limits() else limits

    def state(self, now: datetime) -> str:
        """Return `active`, `expired` or `revoked`."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "active"


class KeysFile(_Record):
    """The keys file, in JSON: every key that was created and not removed manually."""

    schema_version: int = Field(SCHEMA_VERSION, ge=SCHEMA_VERSION, le=SCHEMA_VERSION)
    keys: tuple[StoredKey, ...] = ()

    @field_validator("keys")
    @classmethod
    def _ids_are_unique(cls, keys: tuple[StoredKey, ...]) -> tuple[StoredKey, ...]:
        if len({key.id for key in keys}) < len(keys):
            raise ValueError("two keys have the same id")
        return keys


def new_key(name: str, scopes: Iterable[Permission], **fields: Any) -> tuple[str, StoredKey]:
    """Return a new key, and its stored form; the key itself is not kept.

    `fields` are those of `StoredKey`: expires, rate_per_second, burst, max_in_flight.

    Raises:
        pydantic.ValidationError: a field is invalid.
    """
    public = secrets.token_hex(_ID_BYTES)
    key = f"{KEY_PREFIX}{public}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    digest = hashlib.sha256(key.encode()).hexdigest()
    created = datetime.now(UTC).replace(microsecond=0)
    stored = StoredKey(id=public, name=name, sha256=digest, scopes=tuple(scopes), created=created, **fields)
    return key, stored


def read_keys(path: Path) -> KeysFile:
    """Return the content of the keys file at `path`.

    Raises:
        ContractError: it cannot be read, is not a keys file, or is world-writable, so that any user could add a key.
    """
    try:
        content = path.read_bytes()
        everybody_writes = path.stat().st_mode & stat.S_IWOTH
    except OSError as error:
        raise ContractError(
            f"The keys file {path} cannot be read ({error.strerror}); `graft keys create` makes one."
        ) from error
    if everybody_writes:
        raise ContractError(f"The keys file {path} is world-writable; run `chmod 600` on it and check its keys.")
    try:
        return KeysFile.model_validate_json(content)
    except ValidationError as error:  # its text would show the file's content
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        at = f" at {where}" if where else ""
        raise ContractError(f"The keys file {path} is broken{at}: {first['msg']}.") from None


class Keyring:
    """The current keys of one file. Looking up a key takes a few microseconds."""

    def __init__(self, path: Path) -> None:
        self._file = WatchedFile(path, _read_callers)

    def caller_of(self, key: bytes, now: float) -> Caller:
        """Return the caller with this key, at `now` in seconds since 1970.

        Raises:
            InvalidCredentialsError: the key is unknown, has expired or was revoked. The message says which only if the
                whole key is right, and never contains the key.
        """
        public = key[len(KEY_PREFIX) : len(KEY_PREFIX) + 2 * _ID_BYTES]
        known = self._file.content().get(public)
        if known is None or not hmac.compare_digest(hashlib.sha256(key).digest(), known.digest):
            raise InvalidCredentialsError(_UNKNOWN)
        if known.revoked:
            raise InvalidCredentialsError("The API key was revoked.")
        if known.caller.expires <= now:
            raise InvalidCredentialsError("The API key has expired.")
        return known.caller

    def ends(self, after: float) -> dict[str, float]:
        """Return when each active key expires, by public id, in seconds since 1970, without keys that never do."""
        callers = (known.caller for known in self._file.content().values() if not known.revoked)
        return {caller.id: caller.expires for caller in callers if after < caller.expires < float("inf")}


class _Known:
    """A stored key, prepared for comparison."""

    __slots__ = ("caller", "digest", "revoked")

    def __init__(self, key: StoredKey) -> None:
        expires = float("inf") if key.expires is None else key.expires.timestamp()
        self.digest = bytes.fromhex(key.sha256)
        self.revoked = key.revoked is not None
        self.caller = Caller(key.id, frozenset(key.scopes), expires, key.limits)


def _read_callers(path: Path) -> dict[bytes, _Known]:
    return {key.id.encode(): _Known(key) for key in read_keys(path).keys}
