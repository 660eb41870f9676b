"""Tables as all verbs print them."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

NOT_KNOWN = "-"
_WIDE = 160  # columns where the output is a file or a pipe, which would otherwise count as 80


def wide_console(*, to_stderr: bool = False) -> Console:
    """Return a console as wide as the terminal, or wide enough for a table where there is none."""
    console = Console(stderr=to_stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=to_stderr, highlight=False, width=_WIDE)


def plain_table(columns: Sequence[str], rows: Iterable[Sequence[str]], to_the_right: Iterable[str] = ()) -> Table:
    """Return a table without lines; the columns in `to_the_right` are numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    numbers = set(to_the_right)
    for column in columns:
        table.add_column(column, overflow="fold", justify="right" if column in numbers else "left")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # not as markup: names may have brackets
    return table


def print_line(console: Console, text: str) -> None:
    """Print a line as it is, however long: a terminal may break it, and a file keeps it whole."""
    console.print(text, markup=False, soft_wrap=True)
