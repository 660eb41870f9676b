"""Whatever is sent by the description of the routes is answered by it: no failure of ours, no undocumented status."""

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import content_type_conformance, not_a_server_error, status_code_conformance
from schemathesis.core.result import Ok

from gateway.documentation import describe

_DOCUMENTED_FAILURES = {501, 502, 503, 504}
"""Of the model server or the model; 500 would be ours."""

_SCHEMA = schemathesis.openapi.from_dict(describe(("flowers",)))
_OPERATIONS = [found.ok() for found in _SCHEMA.get_all_operations() if isinstance(found, Ok)]


@pytest.mark.parametrize("operation", _OPERATIONS, ids=[operation.label for operation in _OPERATIONS])
def test_every_operation_answers_as_described(operation: Any, gateway: httpx.Client) -> None:
    """Requests made up from the description get a documented status and type, and never a 500."""

    @settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        response = case.call(base_url=str(gateway.base_url))
        checks = [status_code_conformance, content_type_conformance]
        if response.status_code not in _DOCUMENTED_FAILURES:
            checks.append(not_a_server_error)
        case.validate_response(response, checks=checks)

    ask()
