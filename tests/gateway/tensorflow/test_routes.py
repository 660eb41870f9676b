"""TensorFlow Serving's REST protocol before a model server whose model changes under it."""

import gzip
import json
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import httpx
import pytest

from tests.gateway.changing_model_server import MODEL, ChangingModelServer
from tests.gateway.conftest import StartGateway
from tests.gateway.waiting import wait_until

_PREDICT = f"/v1/models/{MODEL}:predict"
_STABLE = f"/v1/models/{MODEL}/labels/stable:predict"
_NEVER = 3600.0

_Start = Callable[..., httpx.Client]


@pytest.fixture
def changing() -> Iterator[ChangingModelServer]:
    """A model server of the test's own that serves version 1 of `MODEL`."""
    server = ChangingModelServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def start(changing: ChangingModelServer, start_gateway: StartGateway) -> _Start:
    """Start a gateway before it which has seen its versions; by default it does not look again."""

    def start_it(**settings: Any) -> httpx.Client:
        usual = {"poll_interval_seconds": _NEVER, "model_server": changing.address, "models": (MODEL,)}
        client = start_gateway(**{**usual, **settings})
        wait_until(lambda: bool(client.get("/v1/models").json()["models"][0]["versions"]))
        return client

    return start_it


@pytest.fixture
def gateway(start: _Start) -> httpx.Client:
    """A gateway before the changing model server, as `start` starts it."""
    return start()


def test_what_a_model_takes_is_asked_once(gateway: httpx.Client, changing: ChangingModelServer) -> None:
    """The second request is answered without another look at the model's signatures."""
    responses = [gateway.post(_PREDICT, json={"instances": [1, 2.5]}).json() for _ in range(2)]
    assert responses == [{"predictions": [1.0, 2.5]}] * 2
    assert (changing.calls["GetModelMetadata"], changing.calls["Predict"]) == (1, 2)


def test_a_label_is_resolved_once(gateway: httpx.Client, changing: ChangingModelServer) -> None:
    """Requests by label ask for the label's version and for its signatures, and never again."""
    changing.labels = {"stable": 1}
    responses = [gateway.post(_STABLE, json={"instances": [1]}).json() for _ in range(3)]
    assert responses == [{"predictions": [1.0]}] * 3
    assert (changing.calls["GetModelMetadata"], changing.calls["Predict"]) == (2, 3)


def test_a_new_version_that_takes_something_else_is_answered(
    gateway: httpx.Client, changing: ChangingModelServer
) -> None:
    """A request made for the newest version is right although the gateway has only seen the one before."""
    gateway.post(_PREDICT, json={"instances": [1]})
    changing.dtypes = {2: "DT_STRING"}
    assert gateway.post(_PREDICT, json={"instances": ["new"]}).json() == {"predictions": ["new"]}


def test_a_label_that_moves_is_followed(gateway: httpx.Client, changing: ChangingModelServer) -> None:
    """After a label has moved to a version that takes something else, requests by label are right."""
    changing.dtypes, changing.labels = {1: "DT_FLOAT", 2: "DT_STRING"}, {"stable": 1}
    assert gateway.post(_STABLE, json={"instances": [1]}).json() == {"predictions": [1.0]}
    changing.labels = {"stable": 2}
    assert gateway.post(_STABLE, json={"inputs": ["new"]}).json() == {"outputs": ["new"]}


def test_bad_requests_do_not_make_the_gateway_ask_again_and_again(
    gateway: httpx.Client, changing: ChangingModelServer
) -> None:
    """Of many requests that the model cannot take, one makes the gateway look whether the version has changed."""
    statuses = {gateway.post(_PREDICT, json={"instances": ["no number"]}).status_code for _ in range(5)}
    assert statuses == {400}
    assert (changing.calls["GetModelMetadata"], changing.calls["Predict"]) == (2, 0)


def test_no_rows_never_reach_the_model_server(gateway: httpx.Client, changing: ChangingModelServer) -> None:
    """A request in column format without rows is answered with none; one in row format is refused."""
    column, row = gateway.post(_PREDICT, json={"inputs": []}), gateway.post(_PREDICT, json={"instances": []})
    assert (column.status_code, column.json()) == (200, {"outputs": []})
    assert row.status_code == 400
    assert changing.calls["Predict"] == 0


def test_the_model_servers_words_reach_the_caller_without_the_graphs_names(
    gateway: httpx.Client, changing: ChangingModelServer
) -> None:
    """Of what the model server says, the part that names nodes of the graph is cut off, in either protocol."""
    text = "Input is empty.\n\t [[{{function_node map_while_body_16}}{{node map/while/decode_image/DecodeImage}}]]"
    changing.rejection = (grpc.StatusCode.INVALID_ARGUMENT, text)
    response = gateway.post(_PREDICT, json={"instances": [1]})
    assert (response.status_code, response.json()) == (400, {"error": "Input is empty."})
    changing.rejection = (grpc.StatusCode.FAILED_PRECONDITION, "{{function_node a}} {{node b}} No variable.")
    assert gateway.post(_PREDICT, json={"instances": [1]}).json() == {"error": "No variable."}
    inference = {"inputs": [{"name": "x1", "shape": [1], "datatype": "FP32", "data": [1]}]}
    assert gateway.post(f"/v2/models/{MODEL}/infer", json=inference).json() == {"error": "No variable."}


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, 400),
        (grpc.StatusCode.FAILED_PRECONDITION, 400),
        (grpc.StatusCode.OUT_OF_RANGE, 400),
        (grpc.StatusCode.NOT_FOUND, 404),
        (grpc.StatusCode.UNIMPLEMENTED, 501),
    ],
)
def test_statuses_are_those_of_tensorflow_serving(
    gateway: httpx.Client, changing: ChangingModelServer, code: grpc.StatusCode, status: int
) -> None:
    """What a model server refuses has the status that the real server's REST API gives it, and its text."""
    changing.rejection = (code, "So it is.")
    response = gateway.post(_PREDICT, json={"instances": [1]})
    assert (response.status_code, response.json()) == (status, {"error": "So it is."})


def test_a_hosts_name_never_reaches_the_caller(gateway: httpx.Client, changing: ChangingModelServer) -> None:
    """An unavailable model server is 503 with a sentence of the gateway's own."""
    changing.rejection = (grpc.StatusCode.UNAVAILABLE, "connect to 10.0.0.7:8500 failed")
    response = gateway.post(_PREDICT, json={"instances": [1]})
    assert response.status_code == 503
    assert "10.0.0.7" not in response.text
    assert list(response.json()) == ["error"]


def test_a_model_that_is_not_configured_is_not_asked_for(gateway: httpx.Client, changing: ChangingModelServer) -> None:
    """Whatever verb names an unknown model, the model server hears nothing of it."""
    before = sum(changing.calls.values())
    paths = ("/v1/models/nosuch:predict", "/v1/models/nosuch/labels/x:predict", "/v1/models/nosuch/versions/3:classify")
    responses = [gateway.post(path, json={"instances": [1], "examples": [{"x": 1}]}) for path in paths]
    responses += [gateway.get(path) for path in ("/v1/models/nosuch", "/v1/models/nosuch/metadata")]
    assert [response.status_code for response in responses] == [404, 400, 404, 404, 404]
    assert responses[2].json() == {"error": "Servable not found for request: Specific(nosuch, 3)"}
    assert sum(changing.calls.values()) == before


def test_a_packed_body_is_bounded_once_it_is_unpacked(start: _Start) -> None:
    """A small gzip body that holds more than may be sent is refused with 413."""
    gateway = start(max_body_bytes=10_000)
    bomb = gzip.compress(b" " * 1_000_000, mtime=0)
    response = gateway.post(_PREDICT, content=bomb, headers={"Content-Encoding": "gzip"})
    assert len(bomb) < 10_000
    assert response.status_code == 413


@pytest.mark.parametrize(
    ("encoding", "content", "status"),
    [
        ("gzip", gzip.compress(b'{"instances": [1]}', mtime=0), 200),
        ("identity", b'{"instances": [1]}', 200),
        ("gzip", gzip.compress(b'{"instances": [1]}', mtime=0)[:-9], 400),
        ("gzip", b'{"instances": [1]}', 400),
        ("br", b'{"instances": [1]}', 415),
    ],
)
def test_content_encodings(gateway: httpx.Client, encoding: str, content: bytes, status: int) -> None:
    """Gzip is unpacked; what is no gzip, cut short or packed in another way is refused."""
    response = gateway.post(_PREDICT, content=content, headers={"Content-Encoding": encoding})
    assert response.status_code == status
    assert json.loads(response.content).keys() <= {"error", "predictions"}


def test_nesting_is_bounded(start: _Start) -> None:
    """A body nested deeper than the setting allows is refused, even where it would not be looked at."""
    gateway = start(max_json_depth=10)
    bodies = ['{"instances": [1], "more": ' + "[" * depth + "]" * depth + "}" for depth in (9, 10)]
    assert [gateway.post(_PREDICT, content=body).status_code for body in bodies] == [200, 400]


@pytest.mark.parametrize(
    ("method", "path", "status", "content_type"),
    [
        ("HEAD", _PREDICT, 400, "application/json"),
        ("PUT", _PREDICT, 400, "application/json"),
        ("OPTIONS", _PREDICT, 400, "text/html; charset=ISO-8859-1"),
        ("GET", f"/v1/models/{MODEL}%zz", 400, "text/html"),
        ("GET", f"/v1/models/{MODEL}/versions/99999999999999999999", 400, "application/json"),
        ("GET", f"/V1/Models/{MODEL}", 200, "application/json"),
        ("GET", f"/v1/models/{MODEL}/labels/any", 200, "application/json"),
    ],
)
def test_the_real_servers_oddities(
    gateway: httpx.Client, method: str, path: str, status: int, content_type: str
) -> None:
    """Methods, broken escapes and cases are answered as the recorded server does."""
    response = gateway.send(httpx.Request(method, gateway.base_url, extensions={"target": path.encode()}))
    assert (response.status_code, response.headers["content-type"]) == (status, content_type)


@pytest.mark.parametrize("key", ["instances", "inputs"])
def test_a_question_by_the_native_path_is_malformed(gateway: httpx.Client, key: str) -> None:
    """A predict request of this protocol that came by the native path is refused in this protocol's shape."""
    response = gateway.post(f"/v1/models/{MODEL}/predict", json={key: [1]})
    assert response.status_code == 400
    assert response.json() == {"error": f"Malformed request: POST /v1/models/{MODEL}/predict"}


def test_a_query_belongs_to_the_models_name(gateway: httpx.Client) -> None:
    """Nothing is cut off a target, not even an empty query."""
    responses = [gateway.send(_get(gateway, f"/v1/models/{MODEL}{more}")) for more in ("?", "#x", "?x=1")]
    assert [response.status_code for response in responses] == [404, 404, 404]
    assert responses[0].json() == {"error": f"Could not find any versions of model {MODEL}?"}


def test_status_and_metadata(gateway: httpx.Client, changing: ChangingModelServer) -> None:
    """Both are protobuf's JSON, with numbers of 64 bits as text and fields in their own names."""
    changing.labels = {"stable": 1}
    ok = {"error_code": "OK", "error_message": ""}
    versions = [{"version": "1", "state": "AVAILABLE", "status": ok}]
    assert gateway.get(f"/v1/models/{MODEL}").json() == {"model_version_status": versions}
    metadata = gateway.get(f"/v1/models/{MODEL}/labels/stable/metadata").json()
    assert metadata["model_spec"] == {"name": MODEL, "signature_name": "", "version": "1"}
    signature = metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["inputs"]["x1"]["tensor_shape"] == {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}


def _get(gateway: httpx.Client, target: str) -> httpx.Request:
    return httpx.Request("GET", gateway.base_url, extensions={"target": target.encode()})
