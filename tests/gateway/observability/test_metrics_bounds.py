"""Whatever callers and model servers say, the number of series is bounded."""

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import httpx
from prometheus_client.parser import text_string_to_metric_families

from gateway.observability.metric_labels import MAX_CHARACTERS, MAX_CLASSES, MAX_VERSIONS
from gateway.observability.metrics import Metrics
from gateway.observability.predicted_image import PredictedImage
from tests.gateway.conftest import StartGateway
from tests.gateway.metric_values import value
from tests.gateway.raw_requests import connect
from tests.gateway.security.api_keys import HOUR, Keys, bearer, public_id
from tests.gateway.waiting import wait_until_ready

ODD_REQUESTS = 10_000
AT_ONCE = 50
ODD = (
    "{n}",
    "ü{n}",
    "{n}\n# HELP x",
    'a"}} {n}',
    "{n}" * 40,
    "../{n}",
    "%s{n}",
    "graft_{n}_x",
    "\x00{n}",
    "model_{n};DROP",
)
METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "PROPFIND", "MKCOL", "REPORT", "PURGE")
PATHS = (
    "/v1/predict?model={name}",
    "/v1/models/{name}/predict",
    "/v1/models/{name}:predict",
    "/v1/models/flowers/versions/{n}:predict",
    "/v1/models/flowers/labels/{name}:classify",
    "/v1/models/{name}/card",
    "/v1/models/{name}/drift",
    "/v2/models/{name}/infer",
    "/v2/models/flowers/versions/{n}/infer",
    "/v2/models/{name}/ready",
    "/{name}",
    "/docs/{name}",
    "/metrics/{name}",
)


def odd_request(number: int) -> bytes:
    """Return a request of which as much as possible is made up, another one for each number."""
    rest, path = divmod(number, len(PATHS))
    odd, method = divmod(rest, len(METHODS))
    name = quote(ODD[odd % len(ODD)].format(n=number), safe="/")
    target = PATHS[path].format(name=name, n=number)
    body = b'{"instances": [%d]}' % number
    headers = (
        f"Host: h{number}\r\nX-API-Key: {quote(name)}\r\nX-Request-ID: r{number}\r\nUser-Agent: u{number}\r\n"
        f"Content-Type: application/json; x={number}\r\nTraceparent: 00-{number + 1:032x}-{number + 1:016x}-01\r\n"
        f"Content-Length: {len(body)}\r\n"
    )
    return f"{METHODS[method]} {target} HTTP/1.1\r\n{headers}\r\n".encode() + body


def call_oddly(gateway: httpx.Client, numbers: range) -> int:
    """Send odd requests, many at a time on one connection; return how many answers came."""
    replied = 0
    for first in numbers[::AT_ONCE]:
        batch = numbers[numbers.index(first) : numbers.index(first) + AT_ONCE]
        with connect(gateway) as connection:
            last = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            connection.sendall(b"".join(map(odd_request, batch)) + last)
            replied += b"".join(iter(lambda: connection.recv(1 << 16), b"")).count(b"HTTP/1.1 ") - 1
    return replied


def series_of(text: str) -> set[tuple[str, frozenset[tuple[str, str]]]]:
    """Return the name and labels of each series in an exposition."""
    families = text_string_to_metric_families(text)
    return {(each.name, frozenset(each.labels.items())) for family in families for each in family.samples}


def test_callers_add_no_series(start_gateway: StartGateway) -> None:
    """10,000 odd names, paths, versions, keys and methods add no series to those of the first of each kind."""
    gateway = start_gateway(log_level="error")
    wait_until_ready(gateway)
    kinds = range(len(PATHS) * len(METHODS) * len(ODD))
    assert call_oddly(gateway, kinds) == len(kinds)
    gateway.get("/metrics")
    before = series_of(gateway.get("/metrics").text)
    assert call_oddly(gateway, range(len(kinds), ODD_REQUESTS)) == ODD_REQUESTS - len(kinds)
    assert series_of(gateway.get("/metrics").text) == before
    assert value(gateway, "requests_total") >= ODD_REQUESTS
    assert len(before) < 3000


def test_keys_add_no_series(start_gateway: StartGateway, tmp_path: Path) -> None:
    """Where keys are needed, made up ones add no series, and no key appears but the id of one that ends."""
    keys = Keys(tmp_path / "keys.json")
    ending, operator = keys.add(expires=datetime.now(UTC) + HOUR), keys.add("operate", "predict")
    gateway = start_gateway(api_keys_file=keys.path, log_level="error")
    wait_until_ready(gateway)
    seen = []
    kinds = range(len(PATHS) * len(METHODS) * len(ODD))
    for numbers in (kinds, range(1), range(len(kinds), len(kinds) + 1000)):
        call_oddly(gateway, numbers)
        seen.append(text := gateway.get("/metrics", headers=bearer(operator)).text)
    assert series_of(seen[1]) == series_of(seen[2])
    assert public_id(ending) in text
    assert public_id(operator) not in text


def test_versions_of_a_model_are_bounded() -> None:
    """A model's versions that answered last have series; those of the oldest go when another comes."""
    metrics = Metrics(("flowers",))
    for version in range(1, 5 * MAX_VERSIONS + 1):
        metrics.requests.count("/v1/predict", "native", "flowers", version, "ok")
        metrics.images.note(PredictedImage("flowers", version, 0, "daisy", 0.5, 100, 64))
        metrics.requests.count("/v1/predict", "native", "flowers", 1, "ok")  # is seen again and again, so it stays
    shown = {labels["version"] for labels in labels_of(metrics, "graft_gateway_requests_total")}
    assert shown == {"1"} | {str(number) for number in range(4 * MAX_VERSIONS + 2, 5 * MAX_VERSIONS + 1)}
    assert {labels["version"] for labels in labels_of(metrics, "graft_gateway_confidence_count")} == shown


def test_classes_of_a_model_are_bounded() -> None:
    """A model's first hundred classes have series under names cut to a length, whatever characters they hold."""
    metrics = Metrics(("flowers",))
    for version in (1, 2):
        for number in range(1000):
            name = f'v{version} {number}\n"}} \u202e' + "x" * 500
            metrics.images.note(PredictedImage("flowers", version, number, name, 0.5, 100, 64))
    labels = labels_of(metrics, "graft_gateway_predicted_total")
    assert len(labels) == MAX_CLASSES + 1
    assert max(len(each["class"]) for each in labels) == MAX_CHARACTERS
    assert sum(each["class"] == "other" for each in labels) == 1


def labels_of(metrics: Metrics, name: str) -> list[dict[str, str]]:
    """Return the labels of each series of a name."""
    return [dict(labels) for each, labels in series_of(metrics.render()[0].decode()) if each == name]
