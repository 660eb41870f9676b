"""The report's figure as SVG, to stand inside its page: its colours are the page's, by day and by night."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from exporter.tflite.records import Measurement
from trainer.evaluation.page_figures import ACCENT, INK, WRONG, page_style, percent_ticks, svg_for_page

_STYLE = {"axes.grid.axis": "x", "axes.spines.left": False, "ytick.color": INK}
_WIDTH, _ROW, _MARGIN = 9.2, 0.34, 0.75  # inches; a row for each variant
_THICKNESS = 0.34  # of a bar, of its row


@dataclass(frozen=True)
class PlottedVariant:
    """A variant in the figure."""

    name: str
    measured: Measurement
    written: bool

    @property
    def colour(self) -> str:
        """What stands for the page's colour of it."""
        return ACCENT if self.written else WRONG


def draw_variants(rows: Sequence[PlottedVariant], reference: float, lowest: float) -> str:
    """Draw size, accuracy and latency side by side, a row for each variant.

    `reference` is the SavedModel's accuracy, `lowest` the least that is accepted, both shares.
    """
    with page_style(_STYLE):
        figure = Figure(figsize=(_WIDTH, _MARGIN + _ROW * len(rows)), layout="constrained")
        size, accuracy, latency = figure.subplots(1, 3, sharey=True)
        _draw_size(size, rows)
        _draw_accuracy(accuracy, rows, reference, lowest)
        _draw_latency(latency, rows)
        size.set_yticks(range(len(rows)), [row.name for row in rows])
        size.set_ylim(len(rows) - 0.5, -0.5)  # the first on top
        return svg_for_page(figure, "Size, accuracy and latency of each variant")


def _draw_size(axes: Axes, rows: Sequence[PlottedVariant]) -> None:
    axes.set_title("Size, MB", loc="left")
    for place, row in enumerate(rows):
        megabytes = row.measured.file_bytes / 1e6
        axes.barh(place, megabytes, _THICKNESS, color=row.colour)
        _write_beside(axes, megabytes, place, f"{megabytes:.2f}")
    axes.set_xlim(0, 1.25 * max(row.measured.file_bytes for row in rows) / 1e6)
    axes.xaxis.set_major_locator(MaxNLocator(4))


def _draw_accuracy(axes: Axes, rows: Sequence[PlottedVariant], reference: float, lowest: float) -> None:
    axes.set_title("Accuracy, with 95 % interval", loc="left")
    axes.axvline(reference, color=INK, lw=0.9, ls=(0, (4, 3)))
    axes.axvline(lowest, color=WRONG, lw=0.9, ls=(0, (1, 2)))
    for place, row in enumerate(rows):
        accuracy = row.measured.accuracy
        axes.plot(accuracy.interval, [place, place], color=row.colour, lw=3, alpha=0.35, solid_capstyle="round")
        axes.plot([accuracy.share], [place], "o", color=row.colour, ms=6)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(percent_ticks())


def _draw_latency(axes: Axes, rows: Sequence[PlottedVariant]) -> None:
    axes.set_title("Milliseconds an image, 1 and 2 threads", loc="left")
    for place, row in enumerate(rows):
        one, two = row.measured.latency_ms[1], row.measured.latency_ms[2]
        axes.barh(place - 0.2, one, _THICKNESS, color=row.colour)
        axes.barh(place + 0.2, two, _THICKNESS, color=row.colour, alpha=0.45)
        _write_beside(axes, max(one, two), place, f"{one:.1f} / {two:.1f}")
    axes.set_xlim(0, 1.45 * max(max(row.measured.latency_ms.values()) for row in rows))
    axes.xaxis.set_major_locator(MaxNLocator(4))


def _write_beside(axes: Axes, value: float, place: float, text: str) -> None:
    axes.annotate(text, (value, place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8)
