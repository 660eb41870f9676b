"""Tables and lines as all verbs print them: names in them are text, never markup, and cannot control a terminal."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from contract.plain_text import plain_text

NOT_KNOWN = "-"
_WIDE = 160  # columns where the output is a file or a pipe, which would otherwise count as 80


def wide_console(*, to_stderr: bool = False) -> Console:
    """Return a console as wide as the terminal, or wide enough for a table where there is none."""
    console = Console(stderr=to_stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=to_stderr, highlight=False, width=_WIDE)


def plain_table(
    columns: Sequence[str], rows: Iterable[Sequence[str | Sequence[str]]], to_the_right: Iterable[str] = ()
) -> Table:
    """Return a table without lines; the columns in `to_the_right` are numbers. A cell may be a sequence of lines."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    numbers = set(to_the_right)
    for column in columns:
        table.add_column(as_text(column), overflow="fold", justify="right" if column in numbers else "left")
    for row in rows:
        table.add_row(*map(as_text, row))
    return table


def print_line(console: Console, text: str) -> None:
    """Print a line as it is, however long: a terminal may break it, and a file keeps it whole."""
    console.print(as_text(text), soft_wrap=True)


def as_text(content: str | Sequence[str]) -> Text:
    """Return one line, or several, for rich: neither brackets nor `:star:` mean anything."""
    lines = [content] if isinstance(content, str) else content
    return Text("\n".join(map(plain_text, lines)))
