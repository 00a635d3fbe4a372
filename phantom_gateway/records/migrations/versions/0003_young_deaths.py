"""Groups remember instances that died young."""

import sqlalchemy as sa
from alembic import op

from phantom_gateway.records import columns

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """
    The schema of this revision.

    The column keeps its default: taking it away would make SQLite copy the table, and drop the old one with the tags.
    """
    op.add_column("groups", sa.Column("crashes", columns.Document(), nullable=False, server_default="{}"))


def downgrade() -> None:
    """The schema before it."""
    op.drop_column("groups", "crashes")
