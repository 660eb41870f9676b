"""A lineage in either database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lineage.store import Lineage, open_lineage
from tests.lineage.databases import PostgresqlServer, new_database, running_postgresql


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """A PostgreSQL server, which ends with the tests."""
    with running_postgresql() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database in which nothing is yet."""
    return new_database(request, request.param, tmp_path)


@pytest.fixture
def lineage(url: str) -> Iterator[Lineage]:
    """An opened lineage in which nothing is recorded yet."""
    with open_lineage(url) as opened:
        yield opened
