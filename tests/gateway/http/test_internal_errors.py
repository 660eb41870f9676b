"""A mistake of our own is a problem like any other, without its traceback."""

from fastapi import FastAPI, Request, Response

from gateway.http.routing import PlainRoute
from tests.gateway.conftest import StartGateway


def add_mistake(app: FastAPI) -> None:
    """Add a path that fails in a way nobody foresaw."""

    async def fail(_: Request) -> Response:
        raise ZeroDivisionError("the secret of line 42")

    app.router.routes.append(PlainRoute("/mistake", fail))


def test_an_unforeseen_failure_is_a_bare_500(start_gateway: StartGateway) -> None:
    """An exception that nobody foresaw is a 500 problem with the request's id, and nothing of the exception."""
    gateway = start_gateway(add_mistake)
    response = gateway.get("/mistake", headers={"X-Request-ID": "mine"})
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-request-id"] == response.json()["request_id"] == "mine"
    assert response.json()["code"] == "internal_error"
    assert "secret" not in response.text
    assert "Traceback" not in response.text


def test_an_unforeseen_failure_is_counted(start_gateway: StartGateway) -> None:
    """An exception that nobody foresaw counts as internal_error, and the gateway goes on."""
    gateway = start_gateway(add_mistake)
    gateway.get("/mistake")
    assert 'outcome="internal_error",protocol="native",route="/mistake"' in gateway.get("/metrics").text
