"""Schema migrations, run by Alembic at every start; revisions are applied in the order of their numbers."""
