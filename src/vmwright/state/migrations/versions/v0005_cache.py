"""The step cache: layers by their keys, what was made of them, and which steps a build took from it."""

import sqlalchemy as sa
from alembic import op

from vmwright.state.tables import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the cache's tables; a build says which of its steps it took from it."""
    op.create_table(
        "cached_layers",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("key", sa.String(64)),
        sa.Column("parent", sa.String(36), sa.ForeignKey("cached_layers.id", ondelete="CASCADE")),
        sa.Column("host", sa.String(64), nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("template", sa.String(64), nullable=False),
        sa.Column("step", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("deprovisioning", sa.Text),
        sa.Column("provisioning", sa.String(16)),
        sa.Column("baseline", sa.Text),
        sa.Column("network_used", sa.Boolean, nullable=False),
        sa.Column("made_by", sa.String(36), nullable=False),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.Column("used_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_cached_layers_key", "cached_layers", ["key", "host"])
    op.create_index("ix_cached_layers_parent", "cached_layers", ["parent"])
    op.create_table(
        "cached_outputs",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column(
            "layer", sa.String(36), sa.ForeignKey("cached_layers.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("form", sa.String(16), nullable=False),
        sa.Column("host", sa.String(64), nullable=False),
        sa.Column("path", sa.Text),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("mtime_ns", sa.BigInteger),
        sa.Column("sha256", sa.String(64)),
        sa.Column("data_digest", sa.String(64)),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("layer", "form"),
    )
    with op.batch_alter_table("builds") as batch:
        batch.add_column(sa.Column("from_cache", sa.JSON))
