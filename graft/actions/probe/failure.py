"""Why a probe failed."""

from typing import Literal, get_args

Reason = Literal[
    "no_key", "dns", "no_connection", "tls", "timeout", "status", "unexpected_response", "wrong_prediction"
]
REASONS: tuple[Reason, ...] = get_args(Reason)


class ProbeFailedError(Exception):
    """A probe failed; the message is one sentence, and `reason` is the value of a label."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason
