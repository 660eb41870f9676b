"""The description of every route (OpenAPI), and the page that shows it, without a network."""

from fastapi import FastAPI


def add_documentation(app: FastAPI) -> None:
    """Add `GET /openapi.json`, `GET /docs` and what that page loads."""
