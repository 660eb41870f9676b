"""What an outage is, and what an operator has to hear of it."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from benchmarks.outages.stage import Stage

PAGE, TICKET = "page", "ticket"
NUMBER = "a number"
"""Stands for any number among the `names` of an alert."""


@dataclass(frozen=True)
class NamedAlert:
    """An alert by name and severity, which together say what an operator hears."""

    alert: str
    severity: str

    @property
    def kind(self) -> tuple[str, str]:
        """Name and severity."""
        return self.alert, self.severity


@dataclass(frozen=True)
class Expected(NamedAlert):
    """An alert that has to fire within `within`, a duration of the rules' own time, counted from the outage.

    `names` are what its texts have to name: keys of an outage's facts, or NUMBER. The service itself needs
    `own_seconds` at least to notice, which no factor shortens: the deadline of a call.
    """

    within: str
    names: tuple[str, ...] = ()
    own_seconds: float = 0.0


@dataclass(frozen=True)
class Allowed(NamedAlert):
    """An alert that may fire as a consequence, and why. `stays`: not over soon after the repair, rightly so."""

    why: str
    stays: bool = False


@dataclass
class Outage:
    """A running service: what breaks it, and what repairs it. Traffic flows until its context ends.

    `facts` are what texts may have to name: the model, an instance. `statuses` counts the responses that callers got.
    """

    break_it: Callable[[], float | None]
    """Returns when the outage began (`time.monotonic()`), if that was before its end, as in a rolling restart."""
    repair: Callable[[], object]
    facts: Mapping[str, str]
    statuses: Counter[int]
    targets: Mapping[str, list[str]]
    """HOST:PORT by job of Prometheus."""
    key: str = ""
    tls: bool = False


@dataclass(frozen=True)
class Scenario:
    """An outage by name. `begin` starts the service in a stage; the outage lasts `lasts` of the rules' time.

    `share` is how much of the usual traffic there is.
    """

    name: str
    what: str
    begin: Callable[[Stage], Outage]
    must: tuple[Expected, ...] = ()
    may: tuple[Allowed, ...] = ()
    lasts: str = "12m"
    share: float = 1.0

    @property
    def own_seconds(self) -> float:
        """By how much longer it lasts because the service itself needs time to notice."""
        return max((each.own_seconds for each in self.must), default=0.0)


@dataclass
class Fired:
    """An alert that fired: when, in seconds since the outage began, and when it was over; None: it is not.

    `before` is whether it fired before anything was broken.
    """

    alert: str
    severity: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    at: float
    ended: float | None = None
    before: bool = False

    @property
    def kind(self) -> tuple[str, str]:
        """Name and severity."""
        return self.alert, self.severity


@dataclass
class Played:
    """What came of a scenario. `repaired` is when the repair was complete, in seconds since the outage."""

    fired: list[Fired]
    facts: Mapping[str, str]
    repaired: float
    statuses: Counter[int] = field(default_factory=Counter)
    rule_errors: tuple[str, ...] = ()
