"""How often a version that does not load is tried again."""

import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from modelserver.errors import LoadError


@dataclass(frozen=True)
class LoadRetries:
    """At most so many tries after the first, so far apart."""

    most: int
    interval_seconds: float


NO_RETRIES = LoadRetries(0, 0.0)


@dataclass(frozen=True)
class _Failure:
    state: object
    error: LoadError
    tries: int
    at: float


class FailedLoads:
    """The versions of one model whose last load failed, and when each is to be tried again.

    A folder that changed is due at once, and gets all retries again.
    """

    def __init__(self, retries: LoadRetries) -> None:
        self._retries = retries
        self._failures: dict[int, _Failure] = {}

    def add(self, number: int, state: object, error: LoadError) -> None:
        """Remember that a load failed, with the `folder_state` of before."""
        before = self._failures.get(number)
        tries = before.tries + 1 if before is not None and before.state == state else 1
        self._failures[number] = _Failure(state, error, tries, time.monotonic())

    def forget(self, number: int | None = None) -> None:
        """Forget one version, or all."""
        if number is None:
            self._failures.clear()
        else:
            self._failures.pop(number, None)

    def keep(self, numbers: Collection[int]) -> None:
        """Forget all others; a version that was removed and comes again gets all retries."""
        self._failures = {number: failure for number, failure in self._failures.items() if number in numbers}

    def is_due(self, number: int, state: object) -> bool:
        """Return whether a version, whose folder is in `state`, is to be loaded now."""
        failure = self._failures.get(number)
        return failure is None or failure.state != state or self._seconds_to(failure) == 0

    def error(self, number: int) -> LoadError | None:
        """Return why the last load failed."""
        failure = self._failures.get(number)
        return failure.error if failure else None

    def will_retry(self, number: int) -> bool:
        """Return whether the version has tries left."""
        return self._seconds_to(self._failures[number]) is not None

    def seconds_to_next(self) -> float | None:
        """Return the seconds until one is due, at least 1; None where no retry is left."""
        waits = [wait for failure in self._failures.values() if (wait := self._seconds_to(failure)) is not None]
        return max(min(waits), 1.0) if waits else None

    def _seconds_to(self, failure: _Failure) -> float | None:
        if failure.tries > self._retries.most:
            return None
        return max(failure.at + self._retries.interval_seconds - time.monotonic(), 0.0)


def folder_state(folder: Path) -> tuple[tuple[str, int, int, int], ...]:
    """Return what changes when any file under the folder does."""
    try:
        stats = [(str(path), path.stat()) for path in (folder, *sorted(folder.rglob("*")))]
    except OSError:  # it is being removed or replaced
        return ()
    return tuple((name, stat.st_ino, stat.st_mtime_ns, stat.st_size) for name, stat in stats)
