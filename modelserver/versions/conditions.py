"""Waiting for a condition that other tasks of the same event loop bring about."""

import asyncio
from collections.abc import Callable


class Changes:
    """Changes are noted, and tasks that wait for a condition then look at it again. All belong to one event loop."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def note(self) -> None:
        """Let the tasks that wait look again."""
        self._next.set()
        self._next = asyncio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return once `condition` holds; it is looked at now and after every change."""
        while not condition():
            await self._next.wait()
