"""The report's figures as SVG, to stand inside its page: their colours are the page's, by day and by night."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

from contract.reference import Histogram
from trainer.evaluation.calibration import ReliabilityBin
from trainer.evaluation.page_figures import (
    ACCENT,
    INK,
    MUTED,
    WRONG,
    page_style,
    percent_ticks,
    svg_for_page,
)
from trainer.progress import Epoch
from trainer.runs.phase_timing import PHASE_TITLES

_TRAIN, _VALIDATION = MUTED, ACCENT
_WIDE, _SMALL, _SQUARE = (4.4, 2.7), (2.5, 1.6), (2.9, 2.7)  # inches; narrow, so that text is readable on a phone


@dataclass(frozen=True)
class Curve:
    """One quantity of each epoch: what the page calls it, and its fields in `Epoch` for training and validation."""

    title: str
    train: str
    validation: str


LOSS = Curve("Loss (cross-entropy, nats)", "loss", "val_loss")
ACCURACY = Curve("Accuracy", "accuracy", "val_accuracy")


def learning_curve(epochs: Sequence[Epoch], kept: int | None, curve: Curve) -> str:
    """Draw training and validation over the epochs of all phases, with the bounds between phases and stages.

    `kept` is the index of the epoch whose weights were kept.
    """
    with page_style():
        axes = _axes(_WIDE, top=22, left=28)
        x = np.arange(1, len(epochs) + 1)
        marker = "o" if len(epochs) == 1 else ""
        for label, name, colour in (("training", curve.train, _TRAIN), ("validation", curve.validation, _VALIDATION)):
            axes.plot(x, [getattr(epoch, name) for epoch in epochs], marker=marker, color=colour, label=label, lw=1.6)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
        axes.set_xlim(0.5, max(len(epochs), 1) + 0.5)
        _draw_bounds(axes, epochs)
        if kept is not None:
            _mark_kept(axes, kept, epochs[kept], curve)
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2, handlelength=1.2)
        return _svg(axes, curve.title)


def reliability_diagram(bins: Sequence[ReliabilityBin], title: str) -> str:
    """Draw accuracy over confidence; on the diagonal, probabilities mean what they say."""
    with page_style():
        axes = _axes(_SQUARE, left=46)
        axes.plot([0, 1], [0, 1], color=MUTED, lw=0.8, ls=(0, (3, 3)))
        for each in bins:
            left, width = each.low + 0.004, each.high - each.low - 0.008
            axes.bar(left, each.accuracy, width, align="edge", color=_VALIDATION, alpha=0.55)
            axes.plot([left, left + width], [each.confidence] * 2, color=WRONG, lw=1.4)
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="share right")
        _percent(axes, both=True)
        return _svg(axes, title)


def histogram(values: Histogram, title: str, *, pixels: bool = False) -> str:
    """Draw the shares of a histogram's buckets; with `pixels`, its edges are numbers of pixels on a log scale."""
    with page_style():
        axes = _axes(_SMALL, bottom=18)
        edges = np.log2(values.edges) if pixels else np.array(values.edges)
        axes.bar(edges[:-1], values.shares(), np.diff(edges) * 0.92, align="edge", color=_VALIDATION, alpha=0.75)
        axes.set_xlim(edges[0], edges[-1])
        axes.grid(visible=False, axis="x")
        axes.yaxis.set_major_locator(MaxNLocator(nbins=3))
        _percent(axes)
        if pixels:
            axes.xaxis.set_major_locator(MultipleLocator(4))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda power, _: f"{2 ** (power / 2):.0f}²"))
        return _svg(axes, title)


def _axes(size: tuple[float, float], *, top: float = 6, bottom: float = 30, left: float = 36) -> Axes:
    """Return axes in a figure of `size` in inches, with margins in points, which are 1/72 inch.

    The figure stands by itself, without pyplot's global list of figures; fixed margins take half the time of a layout
    that looks for the smallest.
    """
    width, height = (72 * length for length in size)
    figure = Figure(figsize=size)
    return figure.add_axes((left / width, bottom / height, 1 - (left + 14) / width, 1 - (bottom + top) / height))


def _draw_bounds(axes: Axes, epochs: Sequence[Epoch]) -> None:
    """Draw a line where a phase begins after another, and a thin one where more layers were unfrozen."""
    for index, (before, after) in enumerate(pairwise(epochs), start=1):
        if before.phase != after.phase:
            _draw_bound(axes, index, PHASE_TITLES[after.phase], 1.0)
        elif before.unfrozen_layers != after.unfrozen_layers:
            _draw_bound(axes, index, f"{after.unfrozen_layers} layers", 0.6)


def _draw_bound(axes: Axes, index: int, label: str, weight: float) -> None:
    axes.axvline(index + 0.5, color=INK, lw=weight, ls=(0, (4, 3)))
    axes.annotate(
        label,
        (index + 0.5, 1.0),
        xycoords=axes.get_xaxis_transform(),
        xytext=(3, -2),
        textcoords="offset points",
        va="top",
        fontsize=8,
        color=INK,
    )


def _mark_kept(axes: Axes, index: int, epoch: Epoch, curve: Curve) -> None:
    value = getattr(epoch, curve.validation)
    axes.plot([index + 1], [value], "o", color=_VALIDATION, ms=6)
    axes.annotate("kept", (index + 1, value), xytext=(0, 7), textcoords="offset points", ha="center", fontsize=8)


def _percent(axes: Axes, *, both: bool = False) -> None:
    axes.yaxis.set_major_formatter(percent_ticks())
    if both:
        axes.xaxis.set_major_formatter(percent_ticks())


def _svg(axes: Axes, title: str) -> str:
    figure = axes.get_figure(root=True)
    assert figure is not None
    return svg_for_page(figure, title)
