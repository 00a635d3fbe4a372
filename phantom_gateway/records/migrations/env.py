"""
How Alembic reaches the database: on the connection it is handed, inside one transaction.

Owns: nothing more. ``records.session.Database.migrate`` is the only caller.
"""

from alembic import context

from phantom_gateway.records.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite cannot alter a table in place
    user_module_prefix="columns.",
)
with context.begin_transaction():
    context.run_migrations()
