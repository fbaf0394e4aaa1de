"""The tables of the database. Changing one needs a migration in ``migrations/versions``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, validates


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time, stored in UTC and read back with its zone (SQLite keeps none)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: object) -> datetime | None:  # noqa: ARG002
        """Turn any zone into UTC."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: object) -> datetime | None:  # noqa: ARG002
        """Put the zone back, or turn that of PostgreSQL's session into it."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# What the queue asks of waiting builds, all in its index: their rows have big documents in them.
WAITING_COLUMNS = (
    *("priority", "attempt", "key", "started_at", "architecture", "machine_wish", "needs_kvm"),
    *("cpus", "memory_mib", "overtaken", "held_by", "cancel_asked_at", "id"),
)
# What lists and counts ask of all builds: likewise.
LISTED_COLUMNS = ("started_at", "id", "run_state", "run_sub_state", "attempt", "taken_at", "ended_at")


class ForeignText(TypeDecorator[str]):
    """Text that a guest or program has a part in: NUL, which PostgreSQL does not hold, becomes U+FFFD."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: object) -> str | None:  # noqa: ARG002
        """Take NULs out."""
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}") if value else value


class Base(DeclarativeBase):
    """All tables."""

    type_annotation_map = {  # noqa: RUF012 - as SQLAlchemy wants it
        datetime: UtcDateTime,
        int: BigInteger,
        list[str]: JSON,
        dict[str, Any]: JSON,
        dict[str, str]: JSON,
        dict[str, str] | None: JSON(none_as_null=True),
    }


class FactColumns:
    """What is known of the disk inside an artifact (``artifacts/facts.py``), and which artifact that is."""

    digest: Mapped[str] = mapped_column(ForeignKey("artifacts.digest"))
    os_type: Mapped[str] = mapped_column(String(16))
    os_name: Mapped[str] = mapped_column(ForeignText)
    generation: Mapped[str] = mapped_column(String(4))
    size_bytes: Mapped[int]
    provisioning: Mapped[str] = mapped_column(String(16))


class DatabaseRow(Base):
    """What names this database, once: a home and the store that hosts share say which one they belong to."""

    __tablename__ = "database"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)


class TemplateRow(Base):
    """A template that was built: the newest form of it; ``key`` is its name in lower case."""

    __tablename__ = "templates"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    api_version: Mapped[str] = mapped_column(String(32))
    document: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class BuildRow(Base):
    """One run of a template.

    ``template`` is its document as people may see it, ``request`` all that it takes to build it (secrets of
    the template among it). ``attempt`` is the fencing token: whoever takes a build raises it, and nobody with
    a lower one may write here any more (0: nobody has had it yet). A build without ``executor`` that has not
    ended waits in the queue where it is ``queued``, and has been interrupted where it is not.

    ``key`` names the template: its ``template_id`` (of a resource of the service) or its name, in lower case;
    one of them is built at a time. ``machine_wish`` is one of auto, vm, container; ``cpus`` and
    ``memory_mib`` are what the template asks for. ``taken_at`` is when an executor took the build last;
    ``overtaken`` counts the builds that went first because this one is big, until ``held_by`` names an
    executor that makes room for it. ``correlation_id`` is that of the service's request which asked for it.
    ``from_cache`` has the steps that were not run, with the builds that they are of.
    """

    __tablename__ = "builds"
    __table_args__ = (
        Index("ix_builds_waiting", "ended_at", "executor", "queued", *WAITING_COLUMNS),
        Index("ix_builds_executor", "executor", "ended_at", "key"),
        Index("ix_builds_key", "key", "taken_at"),
        Index("ix_builds_started", *LISTED_COLUMNS),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), index=True)
    key: Mapped[str] = mapped_column(Text)
    template_id: Mapped[str | None] = mapped_column(Text)
    template: Mapped[dict[str, Any]]
    request: Mapped[dict[str, Any]]
    run_state: Mapped[str] = mapped_column(String(32))
    run_sub_state: Mapped[str | None] = mapped_column(String(32))
    machine: Mapped[str | None] = mapped_column(String(16))
    accelerator: Mapped[str | None] = mapped_column(String(16))
    machine_reason: Mapped[str | None] = mapped_column(Text)
    source: Mapped[str | None] = mapped_column(Text)
    folder: Mapped[str] = mapped_column(Text)
    message: Mapped[str] = mapped_column(ForeignText, default="")
    queued: Mapped[bool]
    priority: Mapped[int]
    architecture: Mapped[str] = mapped_column(String(16))
    cpus: Mapped[int]
    memory_mib: Mapped[int]
    machine_wish: Mapped[str] = mapped_column(String(16), default="auto")
    needs_kvm: Mapped[bool] = mapped_column(default=False)
    executor: Mapped[str | None] = mapped_column(String(36))
    attempt: Mapped[int]
    taken_at: Mapped[datetime | None]
    overtaken: Mapped[int] = mapped_column(default=0)
    held_by: Mapped[str | None] = mapped_column(String(36))
    cancel_asked_at: Mapped[datetime | None]
    deadline: Mapped[datetime | None]
    correlation_id: Mapped[str | None] = mapped_column(String(36))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    from_cache: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON(none_as_null=True))

    @validates("name", "template_id")
    def _set_key(self, column: str, value: str | None) -> str | None:
        if value and (column == "template_id" or not self.template_id):
            self.key = value.lower()
        return value


class ExecutorRow(Base):
    """A process that runs builds: a worker, or a command's own.

    It lives as long as it moves ``lease_until`` (by the database's clock) forward; ``host`` names the home on
    its host (``state/host.py``), where pid, start and boot say more.
    """

    __tablename__ = "executors"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    host: Mapped[str] = mapped_column(String(64))
    host_name: Mapped[str] = mapped_column(Text)
    pid: Mapped[int]
    started: Mapped[str] = mapped_column(Text)
    boot_id: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16))
    machines: Mapped[list[str]]
    architecture: Mapped[str] = mapped_column(String(16))
    kvm: Mapped[bool]
    cpus: Mapped[int]
    memory_mib: Mapped[int]
    started_at: Mapped[datetime]
    lease_until: Mapped[datetime]


class StepRow(Base):
    """One run of a customizer or validation: once in each attempt of a build that came to it."""

    __tablename__ = "steps"
    __table_args__ = (UniqueConstraint("build_id", "number", "attempt"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    build_id: Mapped[str] = mapped_column(ForeignKey("builds.id", ondelete="CASCADE"))
    number: Mapped[int]
    attempt: Mapped[int]
    name: Mapped[str] = mapped_column(ForeignText)
    kind: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(32))
    exit_code: Mapped[int | None]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class LayerRow(Base):
    """A file of a build's disk: a qcow2 that is never written again once it has a row.

    ``number`` is its place in the chain, from 0; ``step`` the last step that the disk then has behind it, one
    more than there are customizers once it is generalized. ``path`` is on ``host``; ``digest`` is that of its
    bytes where the shared store has them, too. ``deprovisioning`` is the script that was in the guest then,
    ``provisioning`` what the generalized guest is provisioned from.
    """

    __tablename__ = "layers"
    __table_args__ = (UniqueConstraint("build_id", "number"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    build_id: Mapped[str] = mapped_column(ForeignKey("builds.id", ondelete="CASCADE"))
    number: Mapped[int]
    step: Mapped[int]
    attempt: Mapped[int]
    host: Mapped[str] = mapped_column(String(64))
    path: Mapped[str] = mapped_column(Text)
    digest: Mapped[str | None] = mapped_column(String(64))
    size_bytes: Mapped[int]
    deprovisioning: Mapped[str | None] = mapped_column(Text)
    provisioning: Mapped[str | None] = mapped_column(String(16))
    committed_at: Mapped[datetime]


class InputRow(Base):
    """The script or file of a step as it was fetched; ``path``, ``host`` and ``digest`` as of a layer."""

    __tablename__ = "inputs"
    __table_args__ = (UniqueConstraint("build_id", "number"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    build_id: Mapped[str] = mapped_column(ForeignKey("builds.id", ondelete="CASCADE"))
    number: Mapped[int]
    host: Mapped[str] = mapped_column(String(64))
    path: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str | None] = mapped_column(String(64))
    size_bytes: Mapped[int]


class LogRow(Base):
    """Where a build's log is: ``path`` on ``host``, ``key`` in the shared store where it is there, too."""

    __tablename__ = "logs"
    __table_args__ = (UniqueConstraint("build_id", "name"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    build_id: Mapped[str] = mapped_column(ForeignKey("builds.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(64))
    host: Mapped[str] = mapped_column(String(64))
    path: Mapped[str] = mapped_column(Text)
    key: Mapped[str | None] = mapped_column(Text)


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
    error: Mapped[str] = mapped_column(ForeignText, default="")


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
    ``provisioning_state`` is Succeeded only in between. ``run_output`` names the build's output that it is;
    one that no build has made is of an operation of the service (``operation_id``).
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
    run_output: Mapped[str | None] = mapped_column(String(64))
    operation_id: Mapped[str | None] = mapped_column(String(36))
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
    """A file in the content-addressed store: the SHA-256 of its bytes, its length, its disk format.

    ``shared`` tells whether the store that hosts share has it; without one each home has its files.
    """

    __tablename__ = "artifacts"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    size_bytes: Mapped[int]
    format: Mapped[str] = mapped_column(String(16))
    shared: Mapped[bool]
    created_at: Mapped[datetime]


class ResourceRow(Base):
    """Something on a host that must be removed again: recorded before it is made."""

    __tablename__ = "resources"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    build_id: Mapped[str | None] = mapped_column(Text, index=True)
    kind: Mapped[str] = mapped_column(String(16))
    identity: Mapped[str] = mapped_column(Text)
    host: Mapped[str] = mapped_column(String(64), index=True)
    owner_pid: Mapped[int]
    owner_started: Mapped[str] = mapped_column(Text)
    boot_id: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
