"""The tables. They are append-only: triggers (`lineage/database/migrations`) reject every update and delete.

data_sets ─ data_set_folders ─ data_set_pictures
                  │
bases ────────── runs ── models ── exports ─┬─ lite_files
                                            └─ publications ── withdrawals
"""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, ForeignKey, Index, MetaData, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

_NAMES = {
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time; SQLite has no time zones, so UTC is added on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn into UTC."""
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Say that it is UTC, or turn into it from the server's own zone."""
        return value and (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC))


Json = JSON().with_variant(JSONB(), "postgresql")


class Table(DeclarativeBase):
    """The root of all tables."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime(),
        dict[str, Any]: Json,
        list[dict[str, Any]]: Json,
    }


def _now() -> datetime:
    return datetime.now(UTC)


class DataSetRow(Table):
    """A data set by content, wherever it lies; `counts` by split and class."""

    __tablename__ = "data_sets"

    id: Mapped[int] = mapped_column(primary_key=True)
    recorded: Mapped[datetime] = mapped_column(default=_now)
    digest: Mapped[str] = mapped_column(unique=True)
    counts: Mapped[dict[str, Any]]


class DataSetFolderRow(Table):
    """A data set in a place; `listing` is the digest of the record with the paths of all images."""

    __tablename__ = "data_set_folders"

    id: Mapped[int] = mapped_column(primary_key=True)
    recorded: Mapped[datetime] = mapped_column(default=_now)
    data_set_id: Mapped[int] = mapped_column(ForeignKey("data_sets.id"), index=True)
    folder: Mapped[str]
    listing: Mapped[str] = mapped_column(unique=True)

    data_set: Mapped[DataSetRow] = relationship()


class DataSetImageRow(Table):
    """An image of a data set in a place, by its path under the folder."""

    __tablename__ = "data_set_pictures"

    folder_id: Mapped[int] = mapped_column(ForeignKey("data_set_folders.id"), primary_key=True)
    path: Mapped[str] = mapped_column(primary_key=True)
    split: Mapped[str]
    label: Mapped[str]
    digest: Mapped[str] = mapped_column(index=True)


class BaseRow(Table):
    """What models are fine-tuned from, once for each content; `digest` is null where there were no weights."""

    __tablename__ = "bases"

    id: Mapped[int] = mapped_column(primary_key=True)
    recorded: Mapped[datetime] = mapped_column(default=_now)
    architecture: Mapped[str]
    source: Mapped[str]
    digest: Mapped[str | None] = mapped_column(index=True)
    content: Mapped[str] = mapped_column(unique=True)


class RunRow(Table):
    """A training run.

    `parent_run` is the name of a run and not a foreign key: the parent may be recorded later, or elsewhere, and this
    row could not be changed then.
    """

    __tablename__ = "runs"

    id: Mapped[int] = mapped_column(primary_key=True)
    recorded: Mapped[datetime] = mapped_column(default=_now)
    run_id: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(index=True)
    started: Mapped[datetime]
    ended: Mapped[datetime]
    folder: Mapped[str]
    configuration: Mapped[dict[str, Any]]
    code_version: Mapped[str] = mapped_column(index=True)
    environment: Mapped[dict[str, Any]]
    metrics: Mapped[dict[str, Any]]
    gates: Mapped[dict[str, Any]]
    data_set_folder_id: Mapped[int] = mapped_column(ForeignKey("data_set_folders.id"), index=True)
    base_id: Mapped[int] = mapped_column(ForeignKey("bases.id"), index=True)
    parent_run: Mapped[str | None] = mapped_column(index=True)
    content: Mapped[str]

    data_set_folder: Mapped[DataSetFolderRow] = relationship()
    base: Mapped[BaseRow] = relationship()
    model: Mapped["ModelRow"] = relationship(back_populates="run")


class ModelRow(Table):
    """The model that a run made: a file in the run's folder."""

    __tablename__ = "models"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"), unique=True)
    file: Mapped[str]
    digest: Mapped[str] = mapped_column(index=True)
    weights_digest: Mapped[str] = mapped_column(index=True)

    run: Mapped[RunRow] = relationship(back_populates="model")
    exports: Mapped[list["ExportRow"]] = relationship(back_populates="model", order_by="ExportRow.id")


class ExportRow(Table):
    """A version that was made from a model; a number may be used again after its folder was removed."""

    __tablename__ = "exports"

    id: Mapped[int] = mapped_column(primary_key=True)
    recorded: Mapped[datetime] = mapped_column(default=_now)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"), index=True)
    name: Mapped[str]
    version: Mapped[int] = mapped_column(BigInteger)
    folder: Mapped[str]
    digest: Mapped[str] = mapped_column(index=True)
    manifest_digest: Mapped[str]
    files: Mapped[dict[str, Any]]
    parity: Mapped[list[dict[str, Any]]]
    content: Mapped[str] = mapped_column(unique=True)

    model: Mapped[ModelRow] = relationship(back_populates="exports")
    lite_files: Mapped[list["LiteFileRow"]] = relationship(order_by="LiteFileRow.id")
    publications: Mapped[list["PublicationRow"]] = relationship(order_by="PublicationRow.id")

    __table_args__ = (Index(None, "name", "version"),)


class LiteFileRow(Table):
    """A TFLite file that was made from an export."""

    __tablename__ = "lite_files"

    id: Mapped[int] = mapped_column(primary_key=True)
    recorded: Mapped[datetime] = mapped_column(default=_now)
    export_id: Mapped[int] = mapped_column(ForeignKey("exports.id"), index=True)
    file: Mapped[str]
    variant: Mapped[str]
    digest: Mapped[str] = mapped_column(index=True)
    parity: Mapped[list[dict[str, Any]]]
    content: Mapped[str]

    __table_args__ = (UniqueConstraint("export_id", "content"),)


class PublicationRow(Table):
    """An export was made visible."""

    __tablename__ = "publications"

    id: Mapped[int] = mapped_column(primary_key=True)
    recorded: Mapped[datetime] = mapped_column(default=_now)
    export_id: Mapped[int] = mapped_column(ForeignKey("exports.id"), index=True)
    who: Mapped[str]
    at: Mapped[datetime]
    why: Mapped[str]
    content: Mapped[str]

    withdrawal: Mapped["WithdrawalRow | None"] = relationship()

    __table_args__ = (UniqueConstraint("export_id", "content"),)


class WithdrawalRow(Table):
    """A publication was withdrawn."""

    __tablename__ = "withdrawals"

    id: Mapped[int] = mapped_column(primary_key=True)
    recorded: Mapped[datetime] = mapped_column(default=_now)
    publication_id: Mapped[int] = mapped_column(ForeignKey("publications.id"), unique=True)
    who: Mapped[str]
    at: Mapped[datetime]
    why: Mapped[str]
