"""The spans of one call, as far as whatever works for it needs them: no OpenTelemetry here, and no spans if it is off.

Each call has spans of its own, also for a run that it shares with others: they begin and end together, and say how many
calls and rows there were. So a trace is complete by itself, and callers see nothing of each other.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from threading import Lock
from typing import Protocol

QUEUE, RUN, DECODE, NETWORK = "queue", "run", "decode", "network"

Attributes = Mapping[str, str | int | float]


class CallSpan(Protocol):
    """A span that is recorded; `modelserver.tracing` implements it. Safe to use from several threads."""

    def set_attributes(self, attributes: Attributes) -> None:
        """Set attributes, which must not hold what callers chose freely."""

    def begin(self, name: str, attributes: Attributes) -> "CallSpan":
        """Begin a span within this one."""

    def add(self, name: str, start: int, end: int, attributes: Attributes) -> None:
        """Add a span within this one that has ended; moments are nanoseconds since 1970."""

    def end(self, error: BaseException | None = None) -> None:
        """End this span; `error` is why it failed, if it did."""


CallSpans = Sequence[CallSpan]
"""Those that a piece of work belongs to: one for each call that is traced, so there are none without tracing."""

current_spans: ContextVar[CallSpans] = ContextVar("current_spans", default=())
"""Of the call that is handled."""


class Waiting:
    """The time that a call waits for its run. It may be ended twice: by what begins the run, and by who gave up."""

    def __init__(self, spans: CallSpans) -> None:
        self._open = [span.begin(QUEUE, {}) for span in spans]

    def end(self, *_: object) -> None:
        """End it unless that was done; safe to use from several threads."""
        with contextlib.suppress(IndexError):
            while True:
                self._open.pop().end()


class TracedWork:
    """A piece of work on behalf of calls, and its stages: a context that begins their spans, and that its error fails.

    Rows may be in the stages at the same time: the first row's start and the last row's end are those of a stage.
    """

    def __init__(self, name: str, spans: CallSpans, attributes: Attributes) -> None:
        self._begun = [span.begin(name, attributes) for span in spans]
        self._lock = Lock()
        self._stages: dict[str, _Stage] = {}

    def __enter__(self) -> "TracedWork":
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        for span in self._begun:
            for name, stage in self._stages.items():
                span.add(name, stage.start, stage.end, stage.attributes())
            span.end(error)

    def stage(self, name: str) -> contextlib.AbstractContextManager[None]:
        """Return a context in which one row is in a stage."""
        return self._timed(name) if self._begun else contextlib.nullcontext()

    @contextlib.contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        start = time.time_ns()
        try:
            yield
        finally:
            end = time.time_ns()
            with self._lock:
                self._stages.setdefault(name, _Stage(start)).include(start, end)


class _Stage:
    """From the first row's start to the last row's end; `busy` are the nanoseconds that rows were in it, in all."""

    def __init__(self, start: int) -> None:
        self.start = self.end = start
        self.busy = self.rows = 0

    def include(self, start: int, end: int) -> None:
        self.start, self.end = min(self.start, start), max(self.end, end)
        self.busy += end - start
        self.rows += 1

    def attributes(self) -> Attributes:
        return {"graft.rows": self.rows, "graft.busy_ms": round(self.busy / 1e6, 3)}
