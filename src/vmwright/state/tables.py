"""The tables of the database. Changing one needs a migration in ``migrations/versions``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time, stored in UTC and read back with its zone (SQLite keeps none)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: object) -> datetime | None:  # noqa: ARG002
        """Turn any zone into UTC."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: object) -> datetime | None:  # noqa: ARG002
        """Put the zone back."""
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


class Base(DeclarativeBase):
    """All tables."""

    type_annotation_map = {  # noqa: RUF012 - as SQLAlchemy wants it
        datetime: UtcDateTime,
        dict[str, Any]: JSON,
        dict[str, str]: JSON,
        dict[str, str] | None: JSON(none_as_null=True),
    }


class FactColumns:
    """What is known of the disk inside an artifact (``artifacts/facts.py``), and which artifact that is."""

    digest: Mapped[str] = mapped_column(ForeignKey("artifacts.digest"))
    os_type: Mapped[str] = mapped_column(String(16))
    os_name: Mapped[str] = mapped_column(Text)
    generation: Mapped[str] = mapped_column(String(4))
    size_bytes: Mapped[int]
    provisioning: Mapped[str] = mapped_column(String(16))


class BuildRow(Base):
    """One run of a template."""

    __tablename__ = "builds"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), index=True)
    template: Mapped[dict[str, Any]]
    run_state: Mapped[str] = mapped_column(String(32))
    run_sub_state: Mapped[str | None] = mapped_column(String(32))
    machine: Mapped[str | None] = mapped_column(String(16))
    accelerator: Mapped[str | None] = mapped_column(String(16))
    machine_reason: Mapped[str | None] = mapped_column(Text)
    source: Mapped[str | None] = mapped_column(Text)
    folder: Mapped[str] = mapped_column(Text)
    message: Mapped[str] = mapped_column(Text, default="")
    owner_pid: Mapped[int]
    owner_started: Mapped[str] = mapped_column(Text)
    boot_id: Mapped[str] = mapped_column(Text)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class StepRow(Base):
    """One customizer's run in a build."""

    __tablename__ = "steps"
    __table_args__ = (UniqueConstraint("build_id", "number"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    build_id: Mapped[str] = mapped_column(ForeignKey("builds.id", ondelete="CASCADE"))
    number: Mapped[int]
    name: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(32))
    exit_code: Mapped[int | None]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class LayerRow(Base):
    """The disk after a step: a qcow2 file that is never written again once it has a row."""

    __tablename__ = "layers"
    __table_args__ = (UniqueConstraint("build_id", "number"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    build_id: Mapped[str] = mapped_column(ForeignKey("builds.id", ondelete="CASCADE"))
    number: Mapped[int]
    path: Mapped[str] = mapped_column(Text)
    committed_at: Mapped[datetime]


class RunOutputRow(Base):
    """What a distributor made of a build."""

    __tablename__ = "run_outputs"
    __table_args__ = (UniqueConstraint("build_id", "name"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    build_id: Mapped[str] = mapped_column(ForeignKey("builds.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(32))
    provisioning_state: Mapped[str] = mapped_column(String(32))
    artifact_id: Mapped[str | None] = mapped_column(Text)
    artifact_uri: Mapped[str | None] = mapped_column(Text)
    tags: Mapped[dict[str, str]]
    error: Mapped[str] = mapped_column(Text, default="")


class ImageRow(FactColumns, Base):
    """A managed image; ``key`` is its resource id in lower case, as ARM compares ids."""

    __tablename__ = "images"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    resource_id: Mapped[str] = mapped_column(Text)
    location: Mapped[str] = mapped_column(String(64))
    tags: Mapped[dict[str, str]]
    build_id: Mapped[str | None] = mapped_column(ForeignKey("builds.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]


class GalleryRow(Base):
    """A gallery (``Microsoft.Compute/galleries``); ``key`` is its resource id in lower case."""

    __tablename__ = "galleries"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    resource_id: Mapped[str] = mapped_column(Text)
    location: Mapped[str] = mapped_column(String(64))
    tags: Mapped[dict[str, str]]
    created_at: Mapped[datetime]


class DefinitionRow(Base):
    """An image definition of a gallery: what all its versions have in common."""

    __tablename__ = "definitions"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    gallery: Mapped[str] = mapped_column(ForeignKey("galleries.key", ondelete="CASCADE"))
    resource_id: Mapped[str] = mapped_column(Text)
    location: Mapped[str] = mapped_column(String(64))
    os_type: Mapped[str] = mapped_column(String(16))
    generation: Mapped[str] = mapped_column(String(4))
    publisher: Mapped[str] = mapped_column(Text)
    offer: Mapped[str] = mapped_column(Text)
    sku: Mapped[str] = mapped_column(Text)
    plan: Mapped[dict[str, str] | None]
    tags: Mapped[dict[str, str]]
    created_at: Mapped[datetime]


class VersionRow(FactColumns, Base):
    """A version of an image definition; its number is the last part of ``resource_id``.

    Its row and those of its replicas stand before their files are made, and until they are removed:
    ``provisioning_state`` is Succeeded only in between.
    """

    __tablename__ = "versions"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    definition: Mapped[str] = mapped_column(ForeignKey("definitions.key", ondelete="CASCADE"))
    resource_id: Mapped[str] = mapped_column(Text)
    location: Mapped[str] = mapped_column(String(64))
    provisioning_state: Mapped[str] = mapped_column(String(32))
    exclude_from_latest: Mapped[bool]
    replication_mode: Mapped[str | None] = mapped_column(String(16))
    plan: Mapped[dict[str, str] | None]
    tags: Mapped[dict[str, str]]
    build_id: Mapped[str | None] = mapped_column(ForeignKey("builds.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]


class ReplicaRow(Base):
    """A version's copy in the store of one region; ``region`` is as the API writes it (``westus2``)."""

    __tablename__ = "replicas"
    __table_args__ = (UniqueConstraint("version", "region"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    version: Mapped[str] = mapped_column(ForeignKey("versions.key", ondelete="CASCADE"))
    region: Mapped[str] = mapped_column(String(64))
    regional_replica_count: Mapped[int]
    storage_account_type: Mapped[str] = mapped_column(String(32))
    path: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class SourceRow(FactColumns, Base):
    """A disk that stands for a publisher:offer:sku:version."""

    __tablename__ = "sources"
    __table_args__ = (Index("sources_urn", "publisher", "offer", "sku", "version", unique=True),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    publisher: Mapped[str] = mapped_column(Text)
    offer: Mapped[str] = mapped_column(Text)
    sku: Mapped[str] = mapped_column(Text)
    version: Mapped[str] = mapped_column(Text)
    origin: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class ArtifactRow(Base):
    """A file in the content-addressed store: the SHA-256 of its bytes, its length, its disk format."""

    __tablename__ = "artifacts"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    size_bytes: Mapped[int]
    format: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]


class ResourceRow(Base):
    """Something on this host that must be removed again: recorded before it is made."""

    __tablename__ = "resources"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    build_id: Mapped[str | None] = mapped_column(Text, index=True)
    kind: Mapped[str] = mapped_column(String(16))
    identity: Mapped[str] = mapped_column(Text)
    owner_pid: Mapped[int]
    owner_started: Mapped[str] = mapped_column(Text)
    boot_id: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
