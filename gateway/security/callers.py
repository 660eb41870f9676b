"""The caller: the holder of an API key or a token."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.security.rate_limits import Limits


class Permission(StrEnum):
    """The scopes of keys and tokens. Neither includes the other."""

    PREDICT = "predict"
    OPERATE = "operate"


@dataclass(frozen=True, slots=True)
class Caller:
    """One caller. `id` is public and may appear in logs. `expires` is in seconds since 1970, infinite for never."""

    id: str
    permissions: frozenset[str]
    expires: float = float("inf")
    limits: Limits | None = None
