"""Builds that survive: queue, executors, attempts, logs; sizes that PostgreSQL can hold."""

import uuid
from typing import Any

import sqlalchemy as sa
from alembic import op

from vmwright.state.host import host_id
from vmwright.state.tables import WAITING_COLUMNS, UtcDateTime

Kind = sa.types.TypeEngine[str] | type[sa.types.TypeEngine[Any]]

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

WIDER = (
    *((table, "size_bytes") for table in ("images", "sources", "versions", "artifacts")),
    ("replicas", "regional_replica_count"),
)


def upgrade() -> None:
    """Change and make the tables; what was there belongs to the host that upgrades it."""
    _database()
    _templates_and_executors()
    _builds()
    _steps()
    _layers()
    _inputs()
    _logs()
    _resources()
    for table, column in WIDER:
        with op.batch_alter_table(table) as batch:
            batch.alter_column(column, type_=sa.BigInteger)
    with op.batch_alter_table("versions") as batch:
        batch.add_column(sa.Column("run_output", sa.String(64)))
    with op.batch_alter_table("artifacts") as batch:
        batch.add_column(sa.Column("shared", sa.Boolean, nullable=False, server_default=sa.false()))
    with op.batch_alter_table("artifacts") as batch:
        batch.alter_column("shared", server_default=None)


def _database() -> None:
    table = op.create_table("database", sa.Column("id", sa.String(36), primary_key=True))
    op.bulk_insert(table, [{"id": str(uuid.uuid4())}])


def _templates_and_executors() -> None:
    op.create_table(
        "templates",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("api_version", sa.String(32), nullable=False),
        sa.Column("document", sa.JSON, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "executors",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("host", sa.String(64), nullable=False),
        sa.Column("host_name", sa.Text, nullable=False),
        sa.Column("pid", sa.BigInteger, nullable=False),
        sa.Column("started", sa.Text, nullable=False),
        sa.Column("boot_id", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("machines", sa.JSON, nullable=False),
        sa.Column("architecture", sa.String(16), nullable=False),
        sa.Column("kvm", sa.Boolean, nullable=False),
        sa.Column("cpus", sa.BigInteger, nullable=False),
        sa.Column("memory_mib", sa.BigInteger, nullable=False),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("lease_until", UtcDateTime, nullable=False),
    )


def _builds() -> None:
    defaults: dict[str, tuple[Kind, str | sa.ColumnElement[bool]]] = {
        "request": (sa.JSON, "{}"),
        "queued": (sa.Boolean, sa.false()),
        "priority": (sa.BigInteger, "0"),
        "architecture": (sa.String(16), ""),
        "cpus": (sa.BigInteger, "0"),
        "memory_mib": (sa.BigInteger, "0"),
        "attempt": (sa.BigInteger, "1"),
        "key": (sa.String(64), ""),
        "machine_wish": (sa.String(16), "auto"),
        "needs_kvm": (sa.Boolean, sa.false()),
        "overtaken": (sa.BigInteger, "0"),
    }
    with op.batch_alter_table("builds") as batch:
        for name, (kind, default) in defaults.items():
            batch.add_column(sa.Column(name, kind, nullable=False, server_default=default))
        batch.add_column(sa.Column("executor", sa.String(36)))
        batch.add_column(sa.Column("held_by", sa.String(36)))
        batch.add_column(sa.Column("taken_at", UtcDateTime))
        batch.add_column(sa.Column("cancel_asked_at", UtcDateTime))
        batch.add_column(sa.Column("deadline", UtcDateTime))
        for name in ("owner_pid", "owner_started", "boot_id"):
            batch.drop_column(name)
    with op.batch_alter_table("builds") as batch:
        for name in defaults:
            batch.alter_column(name, server_default=None)
        batch.create_index("ix_builds_executor", ["executor", "ended_at", "key"])
        batch.create_index("ix_builds_key", ["key", "taken_at"])
        batch.create_index("ix_builds_waiting", ["ended_at", "executor", "queued", *WAITING_COLUMNS])
    op.execute("UPDATE builds SET key = lower(name)")


def _steps() -> None:
    """Make the table anew: its constraint has no name to change it by."""
    op.execute("CREATE TEMPORARY TABLE steps_of_0002 AS SELECT * FROM steps")
    op.drop_table("steps")
    op.create_table(
        "steps",
        sa.Column("id", sa.Integer, primary_key=True),
        _build_id(),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("attempt", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("exit_code", sa.BigInteger),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime),
        sa.UniqueConstraint("build_id", "number", "attempt"),
    )
    kept = "build_id, number, name, kind, state, exit_code, started_at, ended_at"
    op.execute(f"INSERT INTO steps ({kept}, attempt) SELECT {kept}, 1 FROM steps_of_0002 ORDER BY id")  # noqa: S608
    op.execute("DROP TABLE steps_of_0002")


def _layers() -> None:
    """Make the table anew: so far a build's layers were gone by its end."""
    op.drop_table("layers")
    op.create_table(
        "layers",
        sa.Column("id", sa.Integer, primary_key=True),
        _build_id(),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("step", sa.BigInteger, nullable=False),
        sa.Column("attempt", sa.BigInteger, nullable=False),
        sa.Column("host", sa.String(64), nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64)),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("deprovisioning", sa.Text),
        sa.Column("provisioning", sa.String(16)),
        sa.Column("committed_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("build_id", "number"),
    )


def _inputs() -> None:
    op.create_table(
        "inputs",
        sa.Column("id", sa.Integer, primary_key=True),
        _build_id(),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("host", sa.String(64), nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64)),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("build_id", "number"),
    )


def _logs() -> None:
    op.create_table(
        "logs",
        sa.Column("id", sa.Integer, primary_key=True),
        _build_id(),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("host", sa.String(64), nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("key", sa.Text),
        sa.UniqueConstraint("build_id", "name"),
    )
    for name in ("customization.log", "validation.log"):
        op.execute(
            sa.text(
                "INSERT INTO logs (build_id, name, host, path) "
                "SELECT id, CAST(:name AS VARCHAR), CAST(:host AS VARCHAR), folder || '/' || :name "
                "FROM builds"
            ).bindparams(name=name, host=host_id())
        )


def _resources() -> None:
    with op.batch_alter_table("resources") as batch:
        batch.add_column(sa.Column("host", sa.String(64), nullable=False, server_default=host_id()))
        batch.alter_column("owner_pid", type_=sa.BigInteger)
    with op.batch_alter_table("resources") as batch:
        batch.alter_column("host", server_default=None)
        batch.create_index("ix_resources_host", ["host"])


def _build_id() -> sa.Column[str]:
    reference = sa.ForeignKey("builds.id", ondelete="CASCADE")
    return sa.Column("build_id", sa.String(36), reference, nullable=False)
