"""What has to hold of `graft up`, and whether it does."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table

CPU_RATIO, RATE_RATIO, LATENCY_RATIO, NEIGHBOURS_RATIO = 0.45, 2.0, 0.75, 1.10
MLSERVER_CPU_RATIO, MLSERVER_RATE_RATIO = 0.55, 1.7
MEMORY_MB, START_SECONDS = 750.0, 8.0


@dataclass(frozen=True)
class Bound:
    """One thing that was measured, with the value that it may have at most (`<=`) or at least (`>=`)."""

    what: str
    measured: float
    sign: str
    bound: float
    unit: str = ""

    @property
    def holds(self) -> bool:
        """Whether it holds; not where nothing could be measured (NaN)."""
        return self.measured <= self.bound if self.sign == "<=" else self.measured >= self.bound


def bounds_table(bounds: Sequence[Bound]) -> Table:
    """Return a table of bounds, each with the word of whether it holds."""
    table = Table("what", "measured", "wanted", "holds", box=box.SIMPLE)
    for bound in bounds:
        digits = 2 if not bound.unit or bound.unit == "s" else 0
        measured, wanted = (f"{value:.{digits}f} {bound.unit}".strip() for value in (bound.measured, bound.bound))
        table.add_row(bound.what, measured, f"{bound.sign} {wanted}", "yes" if bound.holds else "NO")
    return table
