"""Every answer says which request it belongs to."""

import httpx
import pytest

from tests.gateway.images import draw


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/v1/models", "/nothing"])
def test_every_answer_has_an_id(gateway: httpx.Client, path: str) -> None:
    """Each answer carries an X-Request-ID, another one every time."""
    first, second = (gateway.get(path).headers["x-request-id"] for _ in range(2))
    assert first
    assert first != second


@pytest.mark.parametrize("content", [draw(), b"text"])
def test_a_given_id_is_kept(gateway: httpx.Client, content: bytes) -> None:
    """A caller's own id comes back in the header and in the body, of an answer and of a refusal."""
    response = gateway.post("/v1/predict", content=content, headers={"X-Request-ID": "order-66/a"})
    assert response.headers["x-request-id"] == "order-66/a"
    assert response.json()["request_id"] == "order-66/a"


@pytest.mark.parametrize("given", ["", "x" * 129, "two words", "caf\xe9", "tab\there"])
def test_a_strange_id_is_replaced(gateway: httpx.Client, given: str) -> None:
    """An id that is empty, long or not printable is not repeated."""
    response = gateway.get("/livez", headers=[(b"X-Request-ID", given.encode("latin-1"))])
    assert response.headers["x-request-id"] not in {given, ""}
