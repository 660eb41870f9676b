"""The first tables."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from lineage.database.migrations import append_only

revision = "0001"
down_revision = None

_Columns = Sequence[str]


def upgrade() -> None:
    """Make all tables and their triggers."""
    append_only.prepare()
    _make_data_sets()
    _make_bases_and_runs()
    _make_models_and_exports()
    _make_publications()


def _make_data_sets() -> None:
    _table("data_sets", _id(), _time("recorded"), _text("digest"), _json("counts"), unique=[["digest"]])
    _table(
        "data_set_folders",
        *(_id(), _time("recorded"), _reference("data_set_folders", "data_set_id", "data_sets")),
        *(_text("folder"), _text("listing")),
        unique=[["listing"]],
        index=[["data_set_id"]],
    )
    _table(
        "data_set_pictures",
        _reference("data_set_pictures", "folder_id", "data_set_folders"),
        *(_text("path"), _text("split"), _text("label"), _text("digest")),
        key=["folder_id", "path"],
        index=[["digest"]],
    )


def _make_bases_and_runs() -> None:
    _table(
        "bases",
        *(_id(), _time("recorded"), _text("architecture"), _text("source"), _text("digest", nullable=True)),
        _text("content"),
        unique=[["content"]],
        index=[["digest"]],
    )
    _table(
        "runs",
        *(_id(), _time("recorded"), _text("run_id"), _text("name"), _time("started"), _time("ended"), _text("folder")),
        *(_json("configuration"), _text("code_version"), _json("environment"), _json("metrics"), _json("gates")),
        _reference("runs", "data_set_folder_id", "data_set_folders"),
        _reference("runs", "base_id", "bases"),
        *(_text("parent_run", nullable=True), _text("content")),
        unique=[["run_id"]],
        index=[["base_id"], ["code_version"], ["data_set_folder_id"], ["name"], ["parent_run"]],
    )


def _make_models_and_exports() -> None:
    _table(
        "models",
        *(_id(), _reference("models", "run_id", "runs"), _text("file"), _text("digest"), _text("weights_digest")),
        unique=[["run_id"]],
        index=[["digest"], ["weights_digest"]],
    )
    _table(
        "exports",
        *(_id(), _time("recorded"), _reference("exports", "model_id", "models"), _text("name")),
        sa.Column("version", sa.BigInteger, nullable=False),
        *(_text("folder"), _text("digest"), _text("manifest_digest"), _json("files"), _json("parity")),
        _text("content"),
        unique=[["content"]],
        index=[["digest"], ["model_id"], ["name", "version"]],
    )
    _table(
        "lite_files",
        *(_id(), _time("recorded"), _reference("lite_files", "export_id", "exports"), _text("file")),
        *(_text("variant"), _text("digest"), _json("parity"), _text("content")),
        unique=[["export_id", "content"]],
        index=[["digest"], ["export_id"]],
    )


def _make_publications() -> None:
    _table(
        "publications",
        *(_id(), _time("recorded"), _reference("publications", "export_id", "exports")),
        *(_text("who"), _time("at"), _text("why"), _text("content")),
        unique=[["export_id", "content"]],
        index=[["export_id"]],
    )
    _table(
        "withdrawals",
        *(_id(), _time("recorded"), _reference("withdrawals", "publication_id", "publications")),
        *(_text("who"), _time("at"), _text("why")),
        unique=[["publication_id"]],
    )


def _table(
    name: str,
    *columns: "sa.Column[Any]",
    key: _Columns = ("id",),
    unique: Sequence[_Columns] = (),
    index: Sequence[_Columns] = (),
) -> None:
    keys = [sa.PrimaryKeyConstraint(*key, name=f"pk_{name}")]
    uniques = [sa.UniqueConstraint(*one, name=f"uq_{name}_{'_'.join(one)}") for one in unique]
    op.create_table(name, *columns, *keys, *uniques)
    for indexed in index:
        op.create_index(f"ix_{name}_{'_'.join(indexed)}", name, indexed)
    append_only.refuse_changes(name, [key, *unique])


def _id() -> "sa.Column[int]":
    return sa.Column("id", sa.Integer, nullable=False)


def _text(name: str, *, nullable: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.String, nullable=nullable)


def _time(name: str) -> "sa.Column[Any]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def _json(name: str) -> "sa.Column[Any]":
    return sa.Column(name, sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False)


def _reference(table: str, name: str, other: str) -> "sa.Column[int]":
    key = sa.ForeignKey(f"{other}.id", name=f"fk_{table}_{name}")
    return sa.Column(name, sa.Integer, key, nullable=False)
