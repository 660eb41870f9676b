"""What an attack is: something that one caller sends, and what has to come back."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from benchmarks.attack.exchange import Target, exchange

Send = Callable[[], Awaitable[list[str]]]
"""Sends it all once, and returns what came back for each body: statuses as `exchange` returns them, or gRPC's names."""

REFUSED = ("400", "404", "405", "408", "413", "414", "415", "422", "429", "431", "503")
"""First words of responses that refuse: the client's fault in words, or a limit that other callers share."""


@dataclass(frozen=True)
class Attack:
    """`prepare` makes what is sent, which may take a while; `expected` are the first words of right responses."""

    name: str
    kind: str
    prepare: Callable[[Target], Send]
    expected: tuple[str, ...] = REFUSED

    def surprises(self, responses: list[str]) -> list[str]:
        """Return the responses that are not right, each once."""
        return sorted({each for each in responses if not each.startswith(self.expected)})


def http_attack(
    name: str, kind: str, request: Callable[[Target], bytes], expected: tuple[str, ...] = REFUSED
) -> Attack:
    """Return an attack of one HTTP request, whose bytes `request` makes."""

    def prepare(target: Target) -> Send:
        content = request(target)

        async def send() -> list[str]:
            return [await exchange(target, content)]

        return send

    return Attack(name, kind, prepare, expected)
