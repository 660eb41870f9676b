"""Which alerts fired during an outage, and when each was over."""

import time
from collections.abc import Callable
from dataclasses import replace

from benchmarks.outages.prometheus import Watcher
from benchmarks.outages.scenario import Fired

_LOOK_AGAIN_SECONDS = 0.2

Say = Callable[[str], object]


class Record:
    """Which alerts fired, and when: looked at a few times a second."""

    def __init__(self, watcher: Watcher, say: Say) -> None:
        self.watcher = watcher
        self._say = say
        self._found: dict[tuple[tuple[str, str], ...], Fired] = {}
        self._before, self._zero = True, time.monotonic()

    def now(self) -> float:
        """Return the seconds since the outage began, or, before that, since the first look."""
        return time.monotonic() - self._zero

    def begins(self) -> None:
        """Something is about to be broken: what has fired so far has fired before."""
        self.look()
        self._before = False

    def counts_from(self, moment: float | None) -> None:
        """Count times from then, or from now; alerts that fire from `begins` on belong to the outage in any case."""
        self._zero = moment or time.monotonic()

    def follow(self, length: float, until: Callable[[], bool] = lambda: False) -> None:
        """Look for so many seconds, or until it is so."""
        end = time.monotonic() + length
        while time.monotonic() < end:
            self.look()
            if until():
                return
            time.sleep(_LOOK_AGAIN_SECONDS)

    def is_over(self, staying: set[tuple[str, str]]) -> bool:
        """Return whether no alert fires any more, but for those that stay."""
        return all(each.ended is not None or each.kind in staying for each in self._found.values())

    def fired(self) -> list[Fired]:
        """Return all that fired, in the order of their beginnings."""
        return [replace(each) for each in sorted(self._found.values(), key=lambda each: each.at)]

    def look(self) -> None:
        """Ask Prometheus now: note what has begun to fire, and what is over."""
        firing = {each.key: each for each in self.watcher.firing()}
        now = self.now()
        for key, each in firing.items():
            if key not in self._found:
                name, severity = each.labels["alertname"], each.labels["severity"]
                self._found[key] = Fired(name, severity, each.labels, each.annotations, now, before=self._before)
                self._say(f"{name} ({severity}): {each.annotations.get('summary', '')}")
            self._found[key].ended = None
        for key, fired in self._found.items():
            if key not in firing and fired.ended is None:
                fired.ended = now
