"""The service: ARM's resources and operations, principals and roles; its templates' builds, its versions."""

import sqlalchemy as sa
from alembic import op

from vmwright.state.tables import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the service's tables; a build may be of one of its templates, a version of an operation."""
    _resources()
    _operations()
    _principals()
    _roles()
    with op.batch_alter_table("builds") as batch:
        batch.alter_column("key", type_=sa.Text)
        batch.add_column(sa.Column("template_id", sa.Text))
        batch.add_column(sa.Column("correlation_id", sa.String(36)))
    with op.batch_alter_table("versions") as batch:
        batch.add_column(sa.Column("operation_id", sa.String(36)))
    listed = ("started_at", "id", "run_state", "run_sub_state", "attempt", "taken_at", "ended_at")
    op.create_index("ix_builds_started", "builds", listed)


def _resources() -> None:
    op.create_table(
        "arm_resources",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("resource_id", sa.Text, nullable=False),
        sa.Column("type", sa.String(256), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("subscription", sa.String(64), nullable=False),
        sa.Column("resource_group", sa.String(90), nullable=False),
        sa.Column("parent", sa.Text, nullable=False),
        sa.Column("location", sa.String(64), nullable=False),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("api_version", sa.String(32), nullable=False),
        sa.Column("created_by", sa.String(36), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("changed_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_arm_resources_type", "arm_resources", ["type", "subscription", "key"])
    op.create_index(
        "ix_arm_resources_group", "arm_resources", ["subscription", "resource_group", "type", "key"]
    )
    op.create_index("ix_arm_resources_name", "arm_resources", ["type", "name"])
    op.create_index("ix_arm_resources_parent", "arm_resources", ["parent"])


def _operations() -> None:
    op.create_table(
        "operations",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("resource_id", sa.Text, nullable=False),
        sa.Column("subscription", sa.String(64), nullable=False),
        sa.Column("location", sa.String(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("error", sa.JSON),
        sa.Column("build_id", sa.String(36)),
        sa.Column("correlation_id", sa.String(36)),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime),
    )
    op.create_index("ix_operations_open", "operations", ["status", "kind"])


def _principals() -> None:
    op.create_table(
        "principals",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("app_id", sa.String(36), unique=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("secret", sa.Text),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )


def _roles() -> None:
    op.create_table(
        "role_definitions",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("resource_id", sa.Text, nullable=False),
        sa.Column("role_name", sa.Text, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "role_assignments",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("resource_id", sa.Text, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("principal_id", sa.String(36), nullable=False),
        sa.Column("principal_type", sa.String(32), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("created_by", sa.String(36), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_role_assignments_principal", "role_assignments", ["principal_id"])
