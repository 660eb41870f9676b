"""Values of the gateway's metrics, read over HTTP."""

import httpx
from prometheus_client.parser import text_string_to_metric_families


def read_metrics(gateway: httpx.Client) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return the values at /metrics by name and labels."""
    text = gateway.get("/metrics").text
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}


def value(gateway: httpx.Client, name: str, /, **labels: str) -> float:
    """Return the sum of the values of a name that have these labels among theirs, 0 where there is none yet."""
    found = read_metrics(gateway).items()
    wanted = labels.items()
    return sum(seen for (each, having), seen in found if each == f"graft_gateway_{name}" and wanted <= having)
