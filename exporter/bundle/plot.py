"""The report's figure as SVG, to stand inside its page: its colours are the page's, by day and by night."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from exporter.tflite.records import Measurement

# matplotlib knows no CSS: these colours stand for the page's variables, and are replaced in the finished SVG
_INK, _MUTED, _GRID, _WRITTEN, _REFUSED = (f"#0b0c{number:02x}" for number in range(1, 6))
_VARIABLES = {_INK: "ink", _MUTED: "muted", _GRID: "rule", _WRITTEN: "accent", _REFUSED: "wrong"}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text, in the page's own font
    "svg.hashsalt": "graft",  # the same ids each time
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "text.color": _INK,
    "axes.edgecolor": _MUTED,
    "axes.labelcolor": _MUTED,
    "axes.titlecolor": _INK,
    "axes.titlesize": 9,
    "axes.facecolor": "none",
    "axes.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "x",
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "xtick.color": _MUTED,
    "ytick.color": _INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "text.parse_math": False,
}
_WIDTH, _ROW, _MARGIN = 9.2, 0.34, 0.75  # inches; a row for each variant
_THICKNESS = 0.34  # of a bar, of its row


@dataclass(frozen=True)
class Row:
    """A variant in the figure."""

    name: str
    measured: Measurement
    written: bool

    @property
    def colour(self) -> str:
        """What stands for the page's colour of it."""
        return _WRITTEN if self.written else _REFUSED


def plot(rows: Sequence[Row], reference: float, lowest: float) -> str:
    """Draw size, accuracy and latency side by side, a row for each variant.

    `reference` is the SavedModel's accuracy, `lowest` the least that is accepted, both shares.
    """
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, _MARGIN + _ROW * len(rows)), layout="constrained")
        size, accuracy, latency = figure.subplots(1, 3, sharey=True)
        _draw_size(size, rows)
        _draw_accuracy(accuracy, rows, reference, lowest)
        _draw_latency(latency, rows)
        size.set_yticks(range(len(rows)), [row.name for row in rows])
        size.set_ylim(len(rows) - 0.5, -0.5)  # the first on top
        return _svg(figure, "Size, accuracy and latency of each variant")


def _draw_size(axes: Axes, rows: Sequence[Row]) -> None:
    axes.set_title("Size, MB", loc="left")
    for place, row in enumerate(rows):
        megabytes = row.measured.file_bytes / 1e6
        axes.barh(place, megabytes, _THICKNESS, color=row.colour)
        _write_beside(axes, megabytes, place, f"{megabytes:.2f}")
    axes.set_xlim(0, 1.25 * max(row.measured.file_bytes for row in rows) / 1e6)
    axes.xaxis.set_major_locator(MaxNLocator(4))


def _draw_accuracy(axes: Axes, rows: Sequence[Row], reference: float, lowest: float) -> None:
    axes.set_title("Accuracy, with 95 % interval", loc="left")
    axes.axvline(reference, color=_INK, lw=0.9, ls=(0, (4, 3)))
    axes.axvline(lowest, color=_REFUSED, lw=0.9, ls=(0, (1, 2)))
    for place, row in enumerate(rows):
        accuracy = row.measured.accuracy
        axes.plot(accuracy.interval, [place, place], color=row.colour, lw=3, alpha=0.35, solid_capstyle="round")
        axes.plot([accuracy.share], [place], "o", color=row.colour, ms=6)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))


def _draw_latency(axes: Axes, rows: Sequence[Row]) -> None:
    axes.set_title("Milliseconds a picture, 1 and 2 threads", loc="left")
    for place, row in enumerate(rows):
        one, two = row.measured.latency_ms[1], row.measured.latency_ms[2]
        axes.barh(place - 0.2, one, _THICKNESS, color=row.colour)
        axes.barh(place + 0.2, two, _THICKNESS, color=row.colour, alpha=0.45)
        _write_beside(axes, max(one, two), place, f"{one:.1f} / {two:.1f}")
    axes.set_xlim(0, 1.45 * max(max(row.measured.latency_ms.values()) for row in rows))
    axes.xaxis.set_major_locator(MaxNLocator(4))


def _write_beside(axes: Axes, value: float, place: float, text: str) -> None:
    axes.annotate(text, (value, place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8)


def _svg(figure: Figure, title: str) -> str:
    """Return the figure as an SVG element with the page's colours, the same bytes for the same values."""
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    svg = file.getvalue()
    svg = re.sub(r"<style.*?</style>", "", svg[svg.index("<svg") :].strip(), flags=re.DOTALL)
    opening = re.sub(r' (width|height)="[^"]*"', "", svg[: svg.index(">")])
    svg = f'<svg role="img" aria-label="{title}"{opening.removeprefix("<svg")}{svg[svg.index(">") :]}'
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var(--{variable})")
    return svg
