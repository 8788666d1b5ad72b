"""Alembic's entry: runs the migrations over the connection that `models/store.py` or `database.py` hands in."""

from alembic import context

from gateway.models import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
context.run_migrations()
