"""The choice of clusters and namespaces, which every query of every dashboard follows."""

import re

from scripts.dashboards.description import Variable

_PLACE = 'cluster=~"$cluster", namespace=~"$namespace"'
_SERIES = re.compile(
    r'(?<![\w:"$])(graft[_:][\w:]+|:tensorflow:[\w:]+|up|ALERTS)\b'  # never part of another name
    r'(?:\{((?:[^"{}]|"(?:[^"\\]|\\.)*")*)\})?'
)

_TARGETS = 'up{job=~"gateway|model-server|probe"'
PLACE_VARIABLES = (
    Variable("cluster", "Cluster", f"label_values({_TARGETS}}}, cluster)"),
    Variable("namespace", "Namespace", f'label_values({_TARGETS}, cluster=~"$cluster"}}, namespace)'),
)
"""At first all, which also means series without these labels, as with docker compose."""


def in_place(expression: str) -> str:
    """Return PromQL whose every series is one of the chosen clusters and namespaces."""
    return _SERIES.sub(lambda found: f"{found[1]}{{{', '.join(filter(None, (found[2], _PLACE)))}}}", expression)
