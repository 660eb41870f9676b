"""What a fake server saw: each call with its deadline, its attempt and how it ended."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

RUNNING, REPLIED, CANCELLED = "running", "answered", "cancelled"


@dataclass
class Call:
    """One call. `outcome` is running, answered, cancelled (by the caller or its deadline) or the name of a status.

    `method` is the gRPC method, or `describe` for a Predict on that signature. `seconds_left` is what the deadline
    allowed when the call arrived, None without a deadline. `attempt` is 1, or more if gRPC says it is a retry.
    `metadata` is what came with the call.
    """

    method: str
    model: str
    version: int | None
    signature: str
    seconds_left: float | None
    attempt: int
    content: bytes
    metadata: Mapping[str, str] = field(default_factory=dict)
    outcome: str = RUNNING


class SeenCalls:
    """Every call since the start, of any thread; counting can begin anew with `forget`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[Call] = []
        self._running = 0
        self._most_running = 0

    def begin(self, call: Call) -> None:
        """Note a call that has arrived."""
        with self._lock:
            self._calls.append(call)
            if call.method == "Predict":
                self._running += 1
                self._most_running = max(self._most_running, self._running)

    def end(self, call: Call, outcome: str) -> None:
        """Note how a call ended."""
        with self._lock:
            call.outcome = outcome
            if call.method == "Predict":
                self._running -= 1

    def of(self, method: str = "Predict", mark: bytes = b"") -> list[Call]:
        """Return the calls of a method whose images hold `mark`, in order of arrival."""
        with self._lock:
            return [call for call in self._calls if call.method == method and mark in call.content]

    def count(self, method: str = "Predict", outcome: str | None = None) -> int:
        """Return how many calls of a method there were, or how many of them ended so."""
        return sum(outcome in (None, call.outcome) for call in self.of(method))

    @property
    def running(self) -> int:
        """Predict calls that are running now."""
        with self._lock:
            return self._running

    @property
    def most_running(self) -> int:
        """The most Predict calls that ran at the same time."""
        with self._lock:
            return self._most_running

    def forget(self) -> None:
        """Begin anew; calls that are running stay counted as running."""
        with self._lock:
            self._calls.clear()
            self._most_running = self._running
