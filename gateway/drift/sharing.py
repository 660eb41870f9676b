"""Sums the counts of several workers of one gateway, each of which writes a file.

A worker sees only its own share of the traffic, and a caller reaches only one worker. Statistics of two samples cannot
be summed, but counts can.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from gateway.drift.window import Counts

Key = tuple[str, int, str]
"""A model, a version and its digest."""

_PREFIX, _SUFFIX = "drift-", ".json"


class SharedCounts:
    """The counts of this gateway's workers, one file for each in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own = folder / f"{_PREFIX}{os.getpid()}{_SUFFIX}"

    def publish(self, counts: Mapping[Key, Counts]) -> None:
        """Write this worker's counts for the others, atomically."""
        written = self._own.with_suffix(".new")
        written.write_text(json.dumps([[*key, found] for key, found in counts.items()]))
        written.replace(self._own)

    def of_others(self) -> list[dict[Key, Counts]]:
        """Return the last counts of the other workers; the files of workers that have ended are deleted."""
        found = []
        for path in self._folder.glob(f"{_PREFIX}*{_SUFFIX}"):
            if path == self._own:
                continue
            if not _is_running(int(path.stem.removeprefix(_PREFIX))):
                path.unlink(missing_ok=True)
                continue
            with suppress(FileNotFoundError):  # the worker ended just now, and another one deleted its file first
                rows = json.loads(path.read_text())
                found.append({(model, version, digest): counts for model, version, digest, counts in rows})
        return found


def added_up(own: Counts, others: list[Counts]) -> Counts:
    """Return the sums of counts, by feature and bucket."""
    return {
        feature: [sum(column) for column in zip(counts, *(other[feature] for other in others), strict=True)]
        for feature, counts in own.items()
    }


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
