"""The databases themselves refuse to change or forget what is recorded, whoever asks."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, inspect, select, text
from sqlalchemy.exc import IntegrityError

from lineage.database.location import read_address
from lineage.database.tables import Table
from lineage.store import open_lineage
from tests.lineage import made_up
from tests.lineage.databases import new_database

TABLES = sorted(Table.metadata.tables)
REJECTION = "the lineage only grows: rows of {} are never changed or deleted"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def seeded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a lineage with a row in every table."""
    url = new_database(request, request.param, tmp_path_factory.mktemp("lineage"))
    with open_lineage(url) as lineage:
        lineage.record_run(made_up.run())
        export_id = lineage.record_export(made_up.export(), made_up.publication())
        lineage.record_lite_file(export_id, made_up.lite_file())
        lineage.record_withdrawal(export_id, made_up.withdrawal())
    return url


@pytest.fixture
def stranger(seeded: str) -> Iterator[Connection]:
    """A connection that knows nothing of Graft."""
    engine = create_engine(read_address(seeded))
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def rows(connection: Connection, table: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in connection.execute(select(text("*")).select_from(text(table)))]


def refused(connection: Connection, table: str, statement: str) -> None:
    before = rows(connection, table)
    assert before
    with pytest.raises(IntegrityError, match=REJECTION.format(table)):
        connection.execute(text(statement))
    connection.rollback()
    assert rows(connection, table) == before


@pytest.mark.parametrize("table", TABLES)
def test_every_column_of_every_table_refuses_a_change(stranger: Connection, table: str) -> None:
    """An update of any column is refused, even one to the value that it has."""
    for column in inspect(stranger).get_columns(table):
        refused(stranger, table, f"UPDATE {table} SET {column['name']} = {column['name']}")


@pytest.mark.parametrize("table", TABLES)
def test_every_table_refuses_to_forget(stranger: Connection, table: str) -> None:
    """A delete is refused in every table."""
    refused(stranger, table, f"DELETE FROM {table}")


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("seeded", ["postgresql"], indirect=True)
def test_every_table_refuses_to_be_emptied(stranger: Connection, table: str) -> None:
    """PostgreSQL's TRUNCATE, which SQLite has not, is refused even with the tables that refer to this one."""
    with pytest.raises(IntegrityError, match="the lineage only grows: rows of"):
        stranger.execute(text(f"TRUNCATE {table} CASCADE"))


@pytest.mark.parametrize("table", TABLES)
def test_no_row_can_be_replaced(stranger: Connection, table: str) -> None:
    """Neither by its primary key nor by any unique constraint can an insert put another row in a row's place."""
    columns = [column["name"] for column in inspect(stranger).get_columns(table)]
    (before, *_) = rows(stranger, table)
    keys = [inspect(stranger).get_pk_constraint(table)["constrained_columns"]]
    keys += [constraint["column_names"] for constraint in inspect(stranger).get_unique_constraints(table)]
    for key in keys:
        if stranger.dialect.name == "sqlite":
            values = ", ".join(
                name if name in key else ("-7" if name == "id" else f"{name} || 'x'") for name in columns
            )
            start, end = f"INSERT OR REPLACE INTO {table} SELECT {values} FROM {table} LIMIT 1", ""
        else:
            start, end = f"INSERT INTO {table} SELECT * FROM {table} LIMIT 1", f"({', '.join(key)})"
            end = f" ON CONFLICT {end} DO UPDATE SET {columns[-1]} = EXCLUDED.{columns[-1]}"
        refused(stranger, table, start + end)
        assert before in rows(stranger, table)


@pytest.mark.parametrize("seeded", ["postgresql"], indirect=True)
def test_tables_refuse_in_a_replica_too(stranger: Connection) -> None:
    """A PostgreSQL session that applies replicated changes, in which ordinary triggers rest, is refused as well."""
    stranger.execute(text("SET session_replication_role = replica"))
    with pytest.raises(IntegrityError, match="only grows"):
        stranger.execute(text("DELETE FROM withdrawals"))


@pytest.mark.parametrize("seeded", ["postgresql"], indirect=True)
def test_the_right_to_read_and_insert_is_enough(seeded: str) -> None:
    """A PostgreSQL user who may do nothing but read and insert records everything; rights can so be kept small."""
    address = read_address(seeded)
    schema = str(address.query["options"]).removeprefix("-csearch_path=")
    engine = create_engine(address)
    with engine.begin() as connection:
        connection.execute(text("CREATE ROLE recorder LOGIN"))
        for right in ("USAGE ON SCHEMA", "SELECT, INSERT ON ALL TABLES IN SCHEMA", "USAGE ON ALL SEQUENCES IN SCHEMA"):
            connection.execute(text(f"GRANT {right} {schema} TO recorder"))
    engine.dispose()
    with open_lineage(address.set(username="recorder").render_as_string()) as lineage:
        lineage.record_run(made_up.run("recorded by another"))
        export_id = lineage.record_export(made_up.export("recorded by another", 7), made_up.publication())
        lineage.record_lite_file(export_id, made_up.lite_file())
        lineage.record_withdrawal(export_id, made_up.withdrawal())
        assert lineage.ancestry_of_version("flowers", 7).export.withdrawn


def test_plain_python_is_refused(tmp_path: Path) -> None:
    """Python's own sqlite3, with no setting of ours, is refused as well."""
    file = tmp_path / "lineage.db"
    with open_lineage(f"sqlite:///{file}") as lineage:
        lineage.record_run(made_up.run())
    connection = sqlite3.connect(file)
    with pytest.raises(sqlite3.IntegrityError, match=REJECTION.format("runs")):
        connection.execute("DELETE FROM runs")
    connection.close()


def test_more_can_always_be_recorded(stranger: Connection, seeded: str) -> None:
    """What is refused keeps nobody from recording the next run."""
    refused(stranger, "runs", "DELETE FROM runs")
    stranger.rollback()
    with open_lineage(seeded) as lineage:
        before = len(lineage.runs_with())
        lineage.record_run(made_up.run("the-next-one"))
        assert len(lineage.runs_with()) == before + 1
