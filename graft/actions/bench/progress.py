"""A bar for each load, drawn anew twice a second by whoever measures, never by a thread beside the measurement."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from contract.plain_text import plain_text


class LoadProgress:
    """Shows on standard error how far a load is; on nothing but a terminal. Use it in a `with`."""

    def __init__(self, console: Console | None = None) -> None:
        target = console or Console(stderr=True, highlight=False)
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
        self._bars = Progress(
            *columns, console=target, transient=True, auto_refresh=False, disable=not target.is_terminal
        )
        self._task: TaskID | None = None
        self._seconds = 0.0

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bars.stop()

    def begin(self, title: str, seconds: float) -> None:
        """Begin with a load of about so many seconds."""
        if self._task is not None:
            self._bars.remove_task(self._task)
        self._task = self._bars.add_task(plain_text(title), total=seconds)
        self._bars.refresh()

    def pass_on(self, seconds: float) -> None:
        """Draw that so many more seconds have passed."""
        if self._task is not None:
            self._bars.advance(self._task, seconds)
            self._bars.refresh()
