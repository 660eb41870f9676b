"""The tables: made by migrations when a lineage is opened, and never by guesswork."""

import warnings

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, insert, inspect, text
from sqlalchemy.exc import IntegrityError

from lineage.database.connections import make_engine, transaction
from lineage.database.location import read_address
from lineage.database.migration import revisions
from lineage.database.schema import HEAD, VERSION_TABLE
from lineage.database.tables import ModelRow, Table
from lineage.errors import LineageNewerError, LineageUnreadableError
from lineage.store import open_lineage
from tests.lineage import made_up
from tests.places import ROOT

VERSIONS = ROOT / "lineage" / "database" / "migrations" / "versions"


def execute(url: str, *statements: str) -> None:
    """Run statements as somebody who knows nothing of Graft."""
    engine = create_engine(read_address(url))
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def test_migrations_make_what_the_code_expects(url: str) -> None:
    """After all migrations a database differs in nothing from the tables in the code."""
    open_lineage(url).close()
    engine = create_engine(read_address(url))
    with engine.connect() as connection, warnings.catch_warnings():
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, Table.metadata) == []
        assert set(inspect(connection).get_table_names()) == {*Table.metadata.tables, VERSION_TABLE}
    engine.dispose()


def test_the_code_knows_its_newest_migration() -> None:
    """The migration that the code asks for is the newest there is."""
    assert revisions()[0] == HEAD


def test_there_is_no_way_back() -> None:
    """No migration offers a downgrade, which would have to forget."""
    files = sorted(VERSIONS.glob("0*.py"))
    assert len(files) == len(revisions())
    assert [file.name for file in files if "def downgrade" in file.read_text()] == []


def test_opening_again_changes_nothing(url: str) -> None:
    """A lineage that is up to date is opened as it is, with what is in it."""
    for _ in range(2):
        with open_lineage(url) as lineage:
            lineage.record_run(made_up.run())
    with open_lineage(url) as lineage:
        assert len(lineage.runs_with()) == 1


def test_a_newer_lineage_is_refused(url: str) -> None:
    """A database that a newer Graft has changed is refused in one sentence, and left alone."""
    open_lineage(url).close()
    execute(url, f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    with pytest.raises(LineageNewerError, match=r"^The lineage at .* was written by a newer Graft \(9999\); update"):
        open_lineage(url)


def test_a_database_of_something_else_is_left_alone(url: str) -> None:
    """A database with other tables is refused, and gets none of ours."""
    execute(url, "CREATE TABLE customers (id INTEGER PRIMARY KEY)")
    with pytest.raises(LineageUnreadableError, match=r"holds other tables; give the lineage a database of its own\.$"):
        open_lineage(url)
    engine = create_engine(read_address(url))
    assert inspect(engine).get_table_names() == ["customers"]
    engine.dispose()


def test_a_lineage_of_an_unfinished_migration_does_not_exist(url: str) -> None:
    """Migrations that fail in the middle leave nothing; here, because a later table's place is taken."""
    execute(url, "CREATE VIEW withdrawals AS SELECT 1 AS id")
    with pytest.raises(Exception, match="withdrawals"):
        open_lineage(url)
    engine = create_engine(read_address(url))
    assert inspect(engine).get_table_names() == []
    engine.dispose()


def test_a_row_that_refers_to_nothing_is_refused(url: str) -> None:
    """Rows are tied together by the database, in SQLite too."""
    open_lineage(url).close()
    engine = make_engine(read_address(url))
    row = insert(ModelRow).values(run_id=7, file="x", digest="x", weights_digest="x")
    with pytest.raises(IntegrityError), transaction(engine, writes=True) as connection:
        connection.execute(row)
    engine.dispose()
