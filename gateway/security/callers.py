"""Who asks: what is known about the holder of an API key or a token."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.security.rate_limits import Limits


class Permission(StrEnum):
    """What a key or token is for: its scopes. Neither includes the other."""

    PREDICT = "predict"
    OPERATE = "operate"


@dataclass(frozen=True, slots=True)
class Caller:
    """One caller. `id` is public: it may stand in logs. `expires` is in seconds since 1970, infinite for never."""

    id: str
    permissions: frozenset[str]
    expires: float = float("inf")
    limits: Limits | None = None
