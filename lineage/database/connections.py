"""Connections and transactions, the same for SQLite and PostgreSQL; errors of the databases in one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import DatabaseError, DataError, IntegrityError, ProgrammingError

from contract.storage.unwritable import free_bytes, size_in_words
from lineage.database.location import URL_VARIABLE, describe
from lineage.errors import LineageUnreadableError, NotRecordedError

_PATIENCE = {"sqlite": ("timeout", 60), "postgresql": ("connect_timeout", 5)}
"""Seconds to wait for other writers, and for a server; the address may say otherwise."""

_NOT_PERMITTED = "42501"
_WRITES = "lineage_writes"
_HINTS = {
    "sqlite": "see that its folder exists, that you may write there, and that it is a lineage file",
    "postgresql": f"see that the server is up, and that {URL_VARIABLE} is right",
}


def make_engine(address: URL) -> Engine:
    """Return an engine that connects anew for each transaction; hours of training may lie between two.

    Raises:
        LineageUnreadableError: the driver is not installed.
    """
    option, seconds = _PATIENCE[address.get_backend_name()]
    options = {} if option in address.query else {option: seconds}
    try:
        engine = create_engine(address, connect_args=options, poolclass=NullPool)
    except ModuleNotFoundError as error:
        raise LineageUnreadableError(
            f"Lineage in PostgreSQL needs the package {error.name}: pip install 'graft-serving[postgresql]'."
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_in_sqlite)
    return engine


@contextmanager
def transaction(engine: Engine, *, writes: bool) -> Iterator[Connection]:
    """Yield a connection in one transaction, which is committed at the end, or undone after an error.

    Raises:
        LineageUnreadableError: the database cannot be reached, read or written.
    """
    with _one_sentence(engine.url), engine.execution_options(**{_WRITES: writes}).begin() as connection:
        yield connection


def _configure_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # else Python's driver begins transactions by itself, and not for tables
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_in_sqlite(connection: Connection) -> None:
    # a writer takes its turn at the start: one that learns later that another was faster must fail
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _one_sentence(address: URL) -> Iterator[None]:
    try:
        yield
    except DatabaseError as error:
        if _is_defect(error):
            raise
        reason = str(error.orig).splitlines()[0].rstrip(".: ")
        hint = _hint(error, address)
        raise LineageUnreadableError(
            f"The lineage at {describe(address)} cannot be used ({reason}); {hint}."
        ) from error
    except UnicodeEncodeError as error:
        raise NotRecordedError(
            f"Nothing is recorded under a name with bytes that are not UTF-8, such as {error.object!a}."
        ) from error


def _hint(error: DatabaseError, address: URL) -> str:
    file = file_of(address)
    full = getattr(error.orig, "sqlite_errorname", "") == "SQLITE_FULL"
    if file and full:
        return f"the disk of {file.parent} is full, {size_in_words(free_bytes(file.parent))} free: make room"
    return _HINTS[address.get_backend_name()]


def _is_defect(error: DatabaseError) -> bool:
    if isinstance(error, ProgrammingError):
        return getattr(error.orig, "sqlstate", None) != _NOT_PERMITTED
    return isinstance(error, IntegrityError | DataError)


def file_of(address: URL) -> Path | None:
    """Return the SQLite file of an address; None for a server."""
    return Path(str(address.database)) if address.get_backend_name() == "sqlite" else None
