"""Errors and HTTP statuses meet in one table, and nothing is missing from it."""

from collections.abc import Iterator

import pytest

from gateway.errors import GatewayError
from gateway.http.error_table import TABLE, row_for


def family(kind: type[GatewayError]) -> Iterator[type[GatewayError]]:
    """Yield an error class and all below it."""
    yield kind
    for below in kind.__subclasses__():
        yield from family(below)


@pytest.mark.parametrize("kind", list(family(GatewayError)))
def test_every_error_has_a_row(kind: type[GatewayError]) -> None:
    """Each error class, down to the last subclass, has an HTTP status, a code and a title of its own."""
    row = row_for(kind("A sentence."))
    assert 400 <= row.status < 600
    assert row.code.replace("_", "").isalpha()
    assert row.title


def test_codes_are_unique() -> None:
    """No two errors share a code, or a caller could not tell them apart."""
    codes = [row.code for row in TABLE.values()]
    assert len(set(codes)) == len(codes)


def test_every_row_is_an_error() -> None:
    """The table has no rows for what is no error of the family."""
    assert set(TABLE) == set(family(GatewayError))
