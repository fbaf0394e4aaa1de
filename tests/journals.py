"""What the journal of builds has in it, whoever keeps it."""

from __future__ import annotations

from sqlalchemy import URL, MetaData, create_engine, inspect, select


def everything(url: URL) -> str:
    """Return all rows of all tables of a journal's schemas; those of the records are not among them."""
    connections = create_engine(url)
    try:
        with connections.connect() as connection:
            tables = MetaData()
            inspector = inspect(connection)
            schemas = {"dbos"} & set(inspector.get_schema_names()) or set(inspector.get_schema_names())
            for schema in schemas:
                tables.reflect(connection, schema=schema)
            rows = [connection.execute(select(table)).all() for table in tables.sorted_tables]
    finally:
        connections.dispose()
    assert any(rows)
    return str(rows)
