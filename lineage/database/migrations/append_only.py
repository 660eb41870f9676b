"""Triggers that make a table append-only."""

from collections.abc import Sequence

from alembic import op

_REJECTION = "the lineage only grows: rows of {table} are never changed or deleted"

_POSTGRESQL_FUNCTION = """
CREATE FUNCTION lineage_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the lineage only grows: rows of % are never changed or deleted', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$
"""


def prepare() -> None:
    """Create what the triggers of all tables share."""
    if op.get_context().dialect.name == "postgresql":
        op.execute(_POSTGRESQL_FUNCTION)


def refuse_changes(table: str, keys: Sequence[Sequence[str]]) -> None:
    """Make the database refuse every update and delete of the table's rows, emptying the table included.

    `keys` are the columns of its primary key and of each unique constraint.
    """
    if op.get_context().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION lineage_refuse_change()"
        )
        op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER only_grows")  # for replicated changes too
        return
    refuse = f"BEGIN SELECT RAISE(ABORT, '{_REJECTION.format(table=table)}'); END"
    for change in ("UPDATE", "DELETE"):
        op.execute(f"CREATE TRIGGER {table}_refuse_{change.lower()} BEFORE {change} ON {table} {refuse}")
    # INSERT OR REPLACE deletes rows without firing their triggers
    same = " OR ".join("(" + " AND ".join(f"{column} = NEW.{column}" for column in key) + ")" for key in keys)
    taken = f"EXISTS (SELECT 1 FROM {table} WHERE {same})"  # noqa: S608 - names out of the migration
    op.execute(f"CREATE TRIGGER {table}_refuse_replace BEFORE INSERT ON {table} WHEN {taken} {refuse}")
