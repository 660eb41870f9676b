"""The tables in a database: created or migrated when it is opened, by one process at a time."""

from sqlalchemy import Connection, Engine, column, inspect, select, table, text

from lineage.database.connections import transaction
from lineage.database.location import describe
from lineage.errors import LineageNewerError, LineageUnreadableError

HEAD = "0001"
"""The newest migration, so that a database that has it needs none of Alembic's half second."""

VERSION_TABLE = "lineage_version"
"""Which migration a database has; not Alembic's own name, which another application could use."""

_LOCK = 0x6C696E65616765  # "lineage": any number that no other application would lock


def bring_up_to_date(engine: Engine) -> None:
    """Make the tables, or change those of an older Graft, where needed.

    Raises:
        LineageNewerError: a newer Graft has changed them.
        LineageUnreadableError: the database has other tables, or cannot be used.
    """
    with transaction(engine, writes=False) as connection:
        if _revision(connection) == HEAD:
            return
    with transaction(engine, writes=True) as connection:  # which locks an SQLite file
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        _migrate(connection)


def _migrate(connection: Connection) -> None:
    from lineage.database.migration import revisions, upgrade  # noqa: PLC0415 - loads Alembic, which most openings do not need

    revision = _revision(connection)  # again: another process may have been faster
    if revision == HEAD:
        return
    where = describe(connection.engine.url)
    if revision is None and inspect(connection).get_table_names():
        raise LineageUnreadableError(f"{where} holds other tables; give the lineage a database of its own.")
    if revision is not None and revision not in revisions():
        raise LineageNewerError(f"The lineage at {where} was written by a newer Graft ({revision}); update Graft.")
    upgrade(connection)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.scalar(select(table(VERSION_TABLE, column("version_num")).c.version_num))
