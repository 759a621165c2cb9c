"""How Alembic reaches the database: through the connection that `migrate.upgrade` hands it, inside its transaction."""

from __future__ import annotations

from alembic import context

from messaging.store.every_table import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=False)
with context.begin_transaction():
    context.run_migrations()
