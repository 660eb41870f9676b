"""What a dashboard is made of, without a word of Grafana's format."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["lines", "stacked", "stat", "table", "heatmap", "states", "bars"]

Limit = tuple[float, str]
"""From this value on a panel shows this colour, a name of Grafana's palette, which has a shade for each theme."""

GOOD, WARNING, BAD = "green", "orange", "red"

SERVICE, MODEL, MODEL_SERVER = "graft-service", "graft-model", "graft-model-server"
"""The dashboards' identifiers, by which they link to each other: `/d/graft-model`."""


@dataclass(frozen=True)
class Query:
    """PromQL, and the name of each of its series; `{{label}}` stands for the value of a label."""

    expression: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    """One image of a dashboard.

    `unit` is an id of Grafana's; `width` and `height` are cells of a grid that is 24 wide. Below the first limit a
    value has the colour `below`. `words` replace values; `column` heads the values of a table, which are hidden without
    it; `links_to` is the dashboard that tells more.
    """

    title: str
    meaning: str
    kind: Kind
    queries: tuple[Query, ...]
    unit: str = "short"
    width: int = 8
    height: int = 8
    limits: tuple[Limit, ...] = ()
    below: str = GOOD
    lowest: float | None = 0
    highest: float | None = None
    decimals: int | None = None
    words: tuple[tuple[int, str, str], ...] = ()
    column: str | None = None
    links_to: str | None = None


@dataclass(frozen=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Variable:
    """A choice at the top of a dashboard: one value of a label, or with `several` any number of them, all at first."""

    name: str
    title: str
    values: str
    several: bool = True


@dataclass(frozen=True)
class Board:
    """One dashboard."""

    identifier: str
    title: str
    meaning: str
    variables: tuple[Variable, ...]
    rows: tuple[Row, ...]
