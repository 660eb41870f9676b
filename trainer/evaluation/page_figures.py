"""Figures as SVG inside a report's page: one style for all reports, in the colours of the page, by day and by night."""

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import escape
from types import MappingProxyType
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

# matplotlib knows no CSS: these colours stand for the page's variables, and are replaced in the finished SVG
INK, MUTED, RULE, ACCENT, WRONG = (f"#0a0b{number:02x}" for number in range(1, 6))
_VARIABLES = {INK: "ink", MUTED: "muted", RULE: "rule", ACCENT: "accent", WRONG: "wrong"}
_STYLE: Mapping[str, Any] = {
    "svg.fonttype": "none",  # text stays text: the page's own font, and small
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 9,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.major.pad": 5,
    "ytick.major.pad": 5,
    "legend.frameon": False,
}
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


@contextmanager
def page_style(changes: Mapping[str, Any] = MappingProxyType({})) -> Iterator[None]:
    """Draw in the style of the reports, with a figure's own `changes` to matplotlib's settings."""
    style: Any = {**_STYLE, **changes}
    with mpl.rc_context(style):
        yield


def percent_ticks() -> FuncFormatter:
    """Return a formatter for an axis of shares: 0.25 is labelled 25 %. Each axis needs one of its own."""
    return FuncFormatter(lambda share, _: f"{100 * share:g} %")


def svg_for_page(figure: Figure, title: str) -> str:
    """Return the figure as an SVG element with the page's colours, the same bytes for the same values.

    `title` is what a screen reader says; within one page it must be another for each figure.
    """
    file = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": title}):  # ids are the same each time, and others in each figure of a page
        figure.savefig(file, format="svg", transparent=True, metadata=_NO_METADATA)
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)  # it would hold for the whole page
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # the same in every figure
    opening = re.sub(r' (width|height)="[^"]*"', "", svg[: svg.index(">")])
    svg = f'<svg role="img" aria-label="{escape(title)}"{opening.removeprefix("<svg")}{svg[svg.index(">") :]}'
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var(--{variable})")
    return svg
