"""Whatever is sent by the description of the routes is answered by it: no failure of ours, no undocumented status."""

import json
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.core.result import Ok

from gateway.app import create_app
from gateway.documentation import describe
from tests.gateway.running import settings_for

_DOCUMENTED_FAILURES = {501, 502, 503, 504}
"""Of the model server or the model; 500 would be ours."""

_DESCRIPTION = describe(create_app(settings_for()), ("flowers",))
_SCHEMA = schemathesis.openapi.from_dict(_DESCRIPTION)
_OPERATIONS = [found.ok() for found in _SCHEMA.get_all_operations() if isinstance(found, Ok)]

_REFUSED = {"401", "403", "429"}
_CALLS = {"400", "404", "502", "503", "504"}
_SENDS = _CALLS | {"408", "413", "415"}
_OF_MODELS = {"post": _SENDS | {"501"}, "get": _CALLS}
EXPECTED: dict[tuple[str, str], set[str]] = {
    ("post", "/v1/predict"): _SENDS | _REFUSED | {"422", "501"},
    ("post", "/v1/models/{model}/predict"): _SENDS | _REFUSED | {"422", "501"},
    ("get", "/v1/models"): _REFUSED | {"503"},
    ("get", "/v1/models/{model}/card"): _CALLS | _REFUSED | {"501"},
    ("get", "/v1/models/{model}/drift"): _CALLS | _REFUSED | {"501"},
    ("get", "/livez"): set(),
    ("get", "/readyz"): {"503"},
    ("get", "/metrics"): _REFUSED | {"503"},
    ("get", "/v2"): _REFUSED,
    ("get", "/v2/health/live"): set(),
    ("get", "/v2/health/ready"): {"503"},
    **{
        (method, f"/v2/models/{{model}}{version}{path}"): statuses | _REFUSED
        for version in ("", "/versions/{version}")
        for method, path, statuses in (
            ("get", "", _CALLS),
            ("get", "/ready", {"400", "404", "503"}),
            ("post", "/infer", _SENDS),
        )
    },
    **{
        (method, f"/v1/models/{{model}}{whose}{path}"): _OF_MODELS[method] | _REFUSED
        for whose in ("", "/versions/{version}", "/labels/{label}")
        for method, path in (
            ("post", ":predict"),
            ("post", ":classify"),
            ("post", ":regress"),
            ("get", ""),
            ("get", "/metadata"),
        )
    },
}
"""The statuses beside 200 of every operation."""


@pytest.mark.parametrize("operation", _OPERATIONS, ids=[operation.label for operation in _OPERATIONS])
def test_every_operation_answers_as_described(operation: Any, gateway: httpx.Client) -> None:
    """Requests made up from the description get a documented status, type and body, and never a 500."""

    @settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
    @given(case=operation.as_strategy())
    def send(case: Any) -> None:
        response = case.call(base_url=str(gateway.base_url))
        checks = [status_code_conformance, content_type_conformance, response_schema_conformance]
        if response.status_code not in _DOCUMENTED_FAILURES:
            checks.append(not_a_server_error)
        case.validate_response(response, checks=checks)

    send()


def test_every_operation_is_described() -> None:
    """The description has all operations of the three protocols, each with its statuses and an id of its own."""
    operations = {
        (method, path): operation
        for path, methods in _DESCRIPTION["paths"].items()
        for method, operation in methods.items()
    }
    assert {key: set(found["responses"]) for key, found in operations.items()} == {
        key: {"200", *statuses} for key, statuses in EXPECTED.items()
    }
    assert len({found["operationId"] for found in operations.values()}) == len(operations)
    for (_, path), found in operations.items():
        in_path = {each["name"] for each in found.get("parameters", ()) if each["in"] == "path"}
        assert in_path == {name for name in ("model", "version", "label") if f"{{{name}}}" in path}


def test_all_schemas_are_there() -> None:
    """Whatever the description refers to is in it, and the framework's own body of errors is not."""
    wanted = {text.partition('"')[0] for text in json.dumps(_DESCRIPTION).split("#/components/schemas/")[1:]}
    assert wanted <= set(_DESCRIPTION["components"]["schemas"])
    assert "ValidationError" not in json.dumps(_DESCRIPTION)
    assert "Problem" in wanted


def test_what_is_served_is_described_by_it(gateway: httpx.Client) -> None:
    """`/openapi.json` is the description, with the configured model's name, and an example of each native body."""
    served = gateway.get("/openapi.json").json()
    assert served == json.loads(json.dumps(_DESCRIPTION))
    [model] = [each for each in served["paths"]["/v1/models/{model}/card"]["get"]["parameters"] if each["in"] == "path"]
    assert model["schema"]["examples"] == ["flowers"]
    for name in ("ImagesBody", "PredictResponse", "Problem", "ModelList", "DriftReport"):
        assert served["components"]["schemas"][name]["examples"]


def test_parameters_have_their_bounds() -> None:
    """The description of a parameter says what it may be, also where the gateway reads it by itself."""
    parameters = {each["name"]: each for each in _DESCRIPTION["paths"]["/v1/predict"]["post"]["parameters"]}
    assert set(parameters) == {"model", "version", "label", "top_k", "X-Request-Timeout-Ms"}
    assert parameters["top_k"]["schema"].items() >= {"type": "integer", "minimum": 1, "default": 5}.items()
    assert parameters["version"]["schema"]["anyOf"][0] == {"type": "integer", "minimum": 1}
    assert not any(each["required"] for each in parameters.values())


def test_the_example_of_images_gets_a_prediction(gateway: httpx.Client) -> None:
    """The described example of a JSON body is one that the gateway takes."""
    [example] = _DESCRIPTION["components"]["schemas"]["ImagesBody"]["examples"]
    response = gateway.post("/v1/predict", json=example)
    assert response.status_code == 200
    assert len(response.json()["predictions"]) == 1
