"""A circuit breaker for each model: after several failures in a row, calls stop for a while.

Closed: calls go through. Open: they are rejected at once. Half open, after a pause: one call goes through as a probe,
and its result decides. Only failures to respond count: the server is unavailable, or takes too long.
"""

import time
from collections.abc import Collection

from gateway.errors import CircuitOpenError, GatewayError, ModelServerTimeoutError, ModelServerUnavailableError
from gateway.observability.metrics import Metrics

_COUNTED = (ModelServerUnavailableError, ModelServerTimeoutError)

CLOSED, HALF_OPEN, OPEN = 0, 1, 2


class Circuit:
    """The circuit breaker of one model, for one event loop."""

    def __init__(self, model: str, failures: int, open_seconds: float, metrics: Metrics) -> None:
        self._model = model
        self._failures = failures
        self._open_seconds = open_seconds
        self._metrics = metrics.backend
        self._metrics.set_circuit(model, CLOSED)
        self._in_a_row = 0
        self._opened_at = 0.0
        self._probing = False

    def guarded(self, *, counts: bool = True) -> "_Guard":
        """Return a context manager for one call; `counts` is False if a timeout would be due to the caller's deadline.

        Raises:
            CircuitOpenError: on entering, the circuit is open, or another call is the probe.
        """
        return _Guard(self, counts=counts)

    def admit(self) -> bool:
        """Let a call through, and return whether it is the probe; `guarded` calls this on entering."""
        if self._in_a_row < self._failures:
            return False
        if self._probing or time.monotonic() < self._opened_at + self._open_seconds:
            raise CircuitOpenError("The model server did not respond several times in a row; try again shortly.")
        self._probing = True
        self._metrics.set_circuit(self._model, HALF_OPEN)
        return True

    def note(self, error: BaseException | None, *, probe: bool, counts: bool) -> None:
        """Record how a call ended; `guarded` calls this on leaving."""
        if probe:
            self._probing = False
        if isinstance(error, _COUNTED):
            if counts:
                self._failed(probe=probe)
        elif error is None or (isinstance(error, GatewayError) and error.code is not None):
            self._succeeded()  # any other status comes from a server that is alive

    def _failed(self, *, probe: bool) -> None:
        self._in_a_row += 1
        if probe or self._in_a_row == self._failures:  # calls already in flight do not extend the pause
            self._opened_at = time.monotonic()
            self._metrics.set_circuit(self._model, OPEN)

    def _succeeded(self) -> None:
        if self._in_a_row >= self._failures:
            self._metrics.set_circuit(self._model, CLOSED)
        self._in_a_row = 0


class _Guard:
    """One call through a circuit. A class, because a generator's context manager costs four times as much."""

    __slots__ = ("_circuit", "_counts", "_probe")

    def __init__(self, circuit: Circuit, *, counts: bool) -> None:
        self._circuit = circuit
        self._counts = counts
        self._probe = False

    def __enter__(self) -> None:
        self._probe = self._circuit.admit()

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._circuit.note(error, probe=self._probe, counts=self._counts)


class Circuits:
    """The circuit breakers of the configured models."""

    def __init__(self, models: Collection[str], failures: int, open_seconds: float, metrics: Metrics) -> None:
        self._circuits = {model: Circuit(model, failures, open_seconds, metrics) for model in models}

    def of(self, model: str) -> Circuit:
        """Return the circuit breaker of a configured model.

        Raises:
            KeyError: the model is not configured.
        """
        return self._circuits[model]
