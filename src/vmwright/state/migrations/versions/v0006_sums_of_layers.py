"""Layers in the cache are known by the sums of their pieces, made by several threads, and by their time."""

import sqlalchemy as sa
from alembic import op

from vmwright.state.tables import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forget the layers, of which neither is known: their files go with the next sweep."""
    op.execute(sa.text("DELETE FROM cached_outputs"))
    op.execute(sa.text("DELETE FROM cached_layers"))
    with op.batch_alter_table("cached_layers") as batch:
        batch.alter_column("sha256", new_column_name="data_digest")
        batch.add_column(sa.Column("ctime_ns", sa.BigInteger, nullable=False))
        batch.add_column(sa.Column("checked_at", UtcDateTime, nullable=False))
    with op.batch_alter_table("cached_outputs") as batch:
        batch.add_column(sa.Column("checked_at", UtcDateTime, nullable=False))
