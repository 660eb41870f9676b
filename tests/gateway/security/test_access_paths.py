"""No spelling of a path opens more than the route that it reaches."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.app import create_app, create_operations_app
from gateway.http.routing import GatewayRoute, OpenMount
from tests.gateway.raw_requests import exchange
from tests.gateway.running import running_gateway, settings_for
from tests.gateway.security.api_keys import Keys

METHODS = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE")
OPEN = (
    "/livez",
    "/readyz",
    "/v2/health/live",
    "/v2/health/ready",
    "/openapi.json",
    "/docs",
    "/docs/assets",
    "/",
    "/page/main.js",
)
SECRET = b"graft_gateway_requests_total"
PATHS = (*OPEN, "/metrics", "/v1/models", "/v1/predict", "/v2", "/v1/models/flowers", "/v2/models/flowers", "/nothing")
FIXES = ("%2F", "%2f", "/", "//", "/.", "/..", "/./", "%2e", "%2E%2E/", "%00", "%0A", "%0D", "%7F", "%C2%85", "%09")
MORE = (";a=b", "?x", "%3F", "#", "%23", "%5C", "\\", "%20", "%FF", "%EF%BB%BF", ":predict", "/docs/", "/docs/../")
CONTROL = (*range(0x20), *range(0x7F, 0xA0))


class Guarded(NamedTuple):
    """A gateway with keys."""

    client: httpx.Client
    predict: str
    operate: str


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A gateway with a key for each scope."""
    keys = Keys(tmp_path_factory.mktemp("keys") / "keys.json")
    predict, operate = keys.add("predict"), keys.add("operate")
    with running_gateway(api_keys_file=keys.path) as client:
        yield Guarded(client, predict, operate)


def status_of(client: httpx.Client, method: str, target: str, key: str = "") -> tuple[int, bytes]:
    """Send a request line as it stands; return the status and what follows."""
    shown = f"X-API-Key: {key}\r\n" if key else ""
    head = f"{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{shown}\r\n"
    received = exchange(client, head.encode("latin-1"))
    return int(received.split(b" ", 2)[1]), received


@st.composite
def spellings(draw: st.DrawFn) -> str:
    """Draw a target that looks like one of the paths, or like several."""
    path = draw(st.sampled_from(PATHS))
    pieces = st.sampled_from((*FIXES, *MORE, *PATHS, ""))
    target = draw(pieces) + path + draw(pieces) + draw(pieces)
    at = draw(st.integers(0, len(target)))
    if draw(st.booleans()) and target[at : at + 1].isalpha():
        escaped = draw(st.sampled_from((f"%{ord(target[at]):02x}", target[at].upper())))
        target = target[:at] + escaped + target[at + 1 :]
    return target if target.startswith("/") else "/" + target


@given(method=st.sampled_from(METHODS), target=spellings())
@example(method="GET", target="/metrics%0A")
@example(method="GET", target="/%6Detrics%0a")
@example(method="HEAD", target="/metrics")
@example(method="GET", target="http://x/metrics")
@example(method="GET", target="/docs/../metrics")
def test_no_spelling_opens_metrics_to_others(guarded: Guarded, method: str, target: str) -> None:
    """Whatever the request line, neither a key that may only predict nor none at all gets the metrics."""
    for key in ("", guarded.predict):
        status, received = status_of(guarded.client, method, target, key)
        assert status < 500 or status == 503  # there is no model server
        assert SECRET not in received


@given(method=st.sampled_from(METHODS), target=spellings())
def test_no_spelling_opens_anything_without_a_key(guarded: Guarded, method: str, target: str) -> None:
    """Without a key, only what is open to all is answered, and anything else is 400 or 401."""
    status, received = status_of(guarded.client, method, target)
    if status not in {400, 401}:
        path = httpx.URL("http://x" + target.replace("\\", "%5C")).path
        assert path.partition("#")[0] in OPEN or path.startswith("/docs/assets/"), received[:300]


@given(method=st.sampled_from(METHODS), target=spellings())
def test_no_spelling_opens_predictions_to_operators(guarded: Guarded, method: str, target: str) -> None:
    """A key that may only operate gets the metrics, and nothing of what needs the other scope."""
    status, received = status_of(guarded.client, method, target, guarded.operate)
    if status not in {400, 403}:
        path = httpx.URL("http://x" + target.replace("\\", "%5C")).path.partition("#")[0]
        assert path in {*OPEN, "/metrics"} or path.startswith("/docs/assets/"), received[:300]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("place", ["{0}{1}", "/{1}{0}", "{2}{1}{3}"])
def test_no_path_with_control_characters_is_routed(guarded: Guarded, path: str, place: str) -> None:
    """A control character anywhere in a path, escaped or as it is, is 400 in words, also for who may do everything."""
    for number in CONTROL:
        escaped = "".join(f"%{byte:02X}" for byte in chr(number).encode())
        for method in ("GET", "POST"):
            target = place.format(path, escaped, path[:3], path[3:])
            status, received = status_of(guarded.client, method, target, guarded.operate)
            assert status == 400, target
            assert f"U+{number:04X}".encode() in received
        raw = place.format(path, chr(number), path[:3], path[3:])
        assert status_of(guarded.client, "GET", raw, guarded.operate)[0] == 400


def test_the_key_for_metrics_opens_metrics(guarded: Guarded) -> None:
    """The path as it is written opens the metrics to the key for them, and to that one only."""
    assert SECRET in status_of(guarded.client, "GET", "/metrics", guarded.operate)[1]
    assert status_of(guarded.client, "GET", "/metrics", guarded.predict)[0] == 403
    assert status_of(guarded.client, "GET", "/metrics")[0] == 401


def routes_of(app: FastAPI) -> list[Any]:
    """Return what an application routes to."""
    return list(app.router.routes)


@pytest.mark.parametrize("operations", [False, True])
def test_every_route_says_what_it_needs(tmp_path: Path, operations: bool) -> None:
    """All routes of both applications are of kinds that check access; only health and documentation are open."""
    keys = Keys(tmp_path / "keys.json")
    keys.add()
    settings = settings_for(api_keys_file=keys.path, operations_port=0 if operations else None)
    app = create_app(settings)
    routes = routes_of(create_operations_app(app, settings) if operations else app)
    assert all(isinstance(route, GatewayRoute | OpenMount) for route in routes)
    needed = {route.path: getattr(route, "needed", None) for route in routes}
    assert {path for path, need in needed.items() if need is None} <= {*OPEN, "/page/{file}"}
    assert {path for path, need in needed.items() if need == "operate"} == {"/metrics"}
