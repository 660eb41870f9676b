"""Responses that are not read take a bounded amount of memory."""

import time
from collections.abc import Collection

from gateway.http.connection import Awaited, Connection

MEGABYTE = 1024 * 1024
LONG_AGO = time.monotonic() - 5


class Reader(Connection):
    """A connection whose response was written `since` then, and of which so many bytes are unread."""

    def __init__(self, all_of_them: "list[Reader]", unread: int, since: float) -> None:
        self._all = all_of_them
        self._unread = self._unsent = unread
        self._unsent_since = since
        self._awaited = Awaited.BODY
        self.is_aborted = False
        all_of_them.append(self)

    @property
    def others(self) -> Collection[Connection]:
        """All connections."""
        return [each for each in self._all if not each.is_aborted]

    def unsent(self) -> int:
        """Return what is unread."""
        return self._unread

    def abort(self) -> None:
        """Note that it was ended."""
        self.is_aborted = True


def aborted(readers: list[Reader]) -> list[int]:
    """Return the numbers of those that were ended."""
    return [number for number, reader in enumerate(readers) if reader.is_aborted]


def test_the_slowest_readers_make_room() -> None:
    """Above 64 MB, those who have not read for longest lose their connections, and only as many as it takes."""
    readers: list[Reader] = []
    for number in range(70):
        Reader(readers, MEGABYTE, LONG_AGO - number)
    Reader(readers, MEGABYTE, time.monotonic()).responded()
    assert aborted(readers) == list(range(63, 70))


def test_who_has_just_got_a_response_has_time_to_read_it() -> None:
    """Nobody is cut off within half a second, nor where there is memory, nor for a small response."""
    fresh: list[Reader] = []
    for _ in range(70):
        Reader(fresh, MEGABYTE, time.monotonic() + 60)
    fresh[0].responded()
    few: list[Reader] = []
    for _ in range(60):
        Reader(few, MEGABYTE, LONG_AGO)
    few[0].responded()
    assert aborted(fresh) == aborted(few) == []
