"""The first schema."""

import sqlalchemy as sa
from alembic import op

from vmwright.state.tables import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables; what is referred to comes first."""
    _builds()
    _parts_of_a_build()
    _images_and_sources()
    _resources()


def _builds() -> None:
    op.create_table(
        "builds",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("template", sa.JSON, nullable=False),
        sa.Column("run_state", sa.String(32), nullable=False),
        sa.Column("run_sub_state", sa.String(32)),
        sa.Column("machine", sa.String(16)),
        sa.Column("accelerator", sa.String(16)),
        sa.Column("machine_reason", sa.Text),
        sa.Column("source", sa.Text),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("owner_pid", sa.Integer, nullable=False),
        sa.Column("owner_started", sa.Text, nullable=False),
        sa.Column("boot_id", sa.Text, nullable=False),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime),
    )
    op.create_index("ix_builds_name", "builds", ["name"])


def _parts_of_a_build() -> None:
    op.create_table(
        "steps",
        sa.Column("id", sa.Integer, primary_key=True),
        _build_id(),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("exit_code", sa.Integer),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime),
        sa.UniqueConstraint("build_id", "number"),
    )
    op.create_table(
        "layers",
        sa.Column("id", sa.Integer, primary_key=True),
        _build_id(),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("committed_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("build_id", "number"),
    )
    op.create_table(
        "run_outputs",
        sa.Column("id", sa.Integer, primary_key=True),
        _build_id(),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("provisioning_state", sa.String(32), nullable=False),
        sa.Column("artifact_id", sa.Text),
        sa.Column("artifact_uri", sa.Text),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.UniqueConstraint("build_id", "name"),
    )


def _images_and_sources() -> None:
    op.create_table(
        "artifacts",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("size_bytes", sa.Integer, nullable=False),
        sa.Column("format", sa.String(16), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "images",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("resource_id", sa.Text, nullable=False),
        sa.Column("location", sa.String(64), nullable=False),
        *_disk(),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("build_id", sa.String(36), sa.ForeignKey("builds.id", ondelete="SET NULL")),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "sources",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("publisher", sa.Text, nullable=False),
        sa.Column("offer", sa.Text, nullable=False),
        sa.Column("sku", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        *_disk(),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    op.create_index("sources_urn", "sources", ["publisher", "offer", "sku", "version"], unique=True)


def _resources() -> None:
    op.create_table(
        "resources",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("build_id", sa.Text),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("owner_pid", sa.Integer, nullable=False),
        sa.Column("owner_started", sa.Text, nullable=False),
        sa.Column("boot_id", sa.Text, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_resources_build_id", "resources", ["build_id"])


def _build_id() -> sa.Column[str]:
    reference = sa.ForeignKey("builds.id", ondelete="CASCADE")
    return sa.Column("build_id", sa.String(36), reference, nullable=False)


def _disk() -> list[sa.Column[str] | sa.Column[int]]:
    """Return the columns that tell of a disk."""
    return [
        sa.Column("digest", sa.String(64), sa.ForeignKey("artifacts.digest"), nullable=False),
        sa.Column("os_type", sa.String(16), nullable=False),
        sa.Column("os_name", sa.Text, nullable=False),
        sa.Column("generation", sa.String(4), nullable=False),
        sa.Column("size_bytes", sa.Integer, nullable=False),
    ]
