"""What alembic runs: migrations on the connection that it is handed."""

from alembic import context

from vmwright.state import cache_tables, service_tables  # noqa: F401 - their tables are part of the metadata
from vmwright.state.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
