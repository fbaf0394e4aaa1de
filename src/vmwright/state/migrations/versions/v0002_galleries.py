"""Galleries, and how the guest of a disk is provisioned."""

import sqlalchemy as sa
from alembic import op

from vmwright.state.tables import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables of galleries; all disks so far are provisioned by NoCloud, as they were."""
    for table in ("images", "sources"):
        op.add_column(
            table, sa.Column("provisioning", sa.String(16), nullable=False, server_default="NoCloud")
        )
        with op.batch_alter_table(table) as batch:
            batch.alter_column("provisioning", server_default=None)
    _galleries_and_definitions()
    _versions_and_replicas()


def _galleries_and_definitions() -> None:
    op.create_table(
        "galleries",
        *_resource(),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "definitions",
        *_resource(),
        _reference("gallery", "galleries.key"),
        sa.Column("os_type", sa.String(16), nullable=False),
        sa.Column("generation", sa.String(4), nullable=False),
        sa.Column("publisher", sa.Text, nullable=False),
        sa.Column("offer", sa.Text, nullable=False),
        sa.Column("sku", sa.Text, nullable=False),
        sa.Column("plan", sa.JSON),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )


def _versions_and_replicas() -> None:
    op.create_table(
        "versions",
        *_resource(),
        _reference("definition", "definitions.key"),
        sa.Column("digest", sa.String(64), sa.ForeignKey("artifacts.digest"), nullable=False),
        sa.Column("os_type", sa.String(16), nullable=False),
        sa.Column("os_name", sa.Text, nullable=False),
        sa.Column("generation", sa.String(4), nullable=False),
        sa.Column("size_bytes", sa.Integer, nullable=False),
        sa.Column("provisioning", sa.String(16), nullable=False),
        sa.Column("provisioning_state", sa.String(32), nullable=False),
        sa.Column("exclude_from_latest", sa.Boolean, nullable=False),
        sa.Column("replication_mode", sa.String(16)),
        sa.Column("plan", sa.JSON),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("build_id", sa.String(36), sa.ForeignKey("builds.id", ondelete="SET NULL")),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "replicas",
        sa.Column("id", sa.Integer, primary_key=True),
        _reference("version", "versions.key"),
        sa.Column("region", sa.String(64), nullable=False),
        sa.Column("regional_replica_count", sa.Integer, nullable=False),
        sa.Column("storage_account_type", sa.String(32), nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("version", "region"),
    )


def _resource() -> list[sa.Column[str]]:
    """Return the columns that every resource has."""
    return [
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("resource_id", sa.Text, nullable=False),
        sa.Column("location", sa.String(64), nullable=False),
    ]


def _reference(name: str, target: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, sa.ForeignKey(target, ondelete="CASCADE"), nullable=False)
