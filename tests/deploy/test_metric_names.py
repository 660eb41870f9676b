"""Rules and dashboards ask for series, labels and buckets that exist."""

import json
from collections.abc import Iterator

from gateway.observability.metrics import Metrics
from gateway.observability.predicted_image import PredictedImage
from scripts.dashboards.__main__ import FOLDER
from tests.deploy.exported_metrics import edges_in, exported, labels_in, names_in
from tests.deploy.prometheus_rules import alerts, records


def _in_rules() -> Iterator[str]:
    yield from records().values()
    yield from (alert.expression for alert in alerts())


def _in_dashboards() -> Iterator[str]:
    for path in sorted(FOLDER.glob("*.json")):
        content = json.loads(path.read_text())
        for panel in content["panels"]:
            yield from (target["expr"] for target in panel.get("targets", []))
        yield from (annotation["expr"] for annotation in content["annotations"]["list"])


QUERIES = sorted({*_in_rules(), *_in_dashboards()})


def test_every_name_is_exported() -> None:
    """Each series of a query is one that the gateway, the model server or a recording rule makes."""
    assert len(QUERIES) > 100
    assert [query for query in QUERIES if not names_in(query)] == []
    assert {name for query in QUERIES for name in names_in(query)} - exported().keys() == set()


def test_every_label_exists() -> None:
    """Each label of a query is one of the labels of its series."""
    known = exported()
    labels = {query: frozenset().union(*(known[name] for name in names_in(query))) for query in QUERIES}
    assert {query: labels_in(query) - labels[query] for query in QUERIES if labels_in(query) - labels[query]} == {}


def test_every_edge_is_a_buckets() -> None:
    """Where a query picks a bucket, the histogram has one with just that edge."""
    picked = {found for query in QUERIES for found in edges_in(query)}
    assert ("graft_gateway_request_duration_seconds_bucket", 0.6) in picked
    assert picked - _edges() == set()


def test_no_recording_rule_is_idle() -> None:
    """Every recording rule is asked for by another rule or by a panel."""
    assert records().keys() - {name for query in QUERIES for name in names_in(query)} == set()


def test_a_query_is_read_as_prometheus_reads_it() -> None:
    """Names are told from functions, labels, strings and units of time."""
    query = 'sum by (le) (rate(a:b_bucket{le="0.5", x=~"y{z}"}[5m])) / on (m) group_left c > 1e6 or vector(0)'
    assert names_in(query) == {"a:b_bucket", "c", "group_left"}
    assert labels_in(query) == {"le", "x", "m"}
    assert edges_in('h_bucket{r="a", le="0.5"} + rate(g_bucket{le="10"}[5m])') == {("h_bucket", 0.5), ("g_bucket", 10)}


def _edges() -> set[tuple[str, float]]:
    """Return every edge of the gateway's histograms."""
    metrics = Metrics(("flowers",))
    metrics.requests.time("/v1/predict", "native", 200, 0.1, None)
    metrics.images.note(PredictedImage("flowers", 1, 0, "roses", 0.9, 10_000, 200_000, 0.5))
    return {
        (sample.name, float(sample.labels["le"]))
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name.endswith("_bucket")
    }
