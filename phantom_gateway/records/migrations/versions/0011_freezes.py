"""What people have frozen."""

import sqlalchemy as sa
from alembic import op

from phantom_gateway.records import columns

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The schema of this revision."""
    op.create_table(
        "freezes",
        sa.Column("scope", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", columns.Moment(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "name", name=op.f("pk_freezes")),
    )


def downgrade() -> None:
    """The schema before it."""
    op.drop_table("freezes")
