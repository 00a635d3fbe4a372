"""Instances know the zone or subnet that they were launched in, and the gateway what clouds were found to be like."""

import sqlalchemy as sa
from alembic import op

from phantom_gateway.records import columns

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The schema of this revision."""
    op.add_column("instances", sa.Column("place", sa.String(length=255), nullable=True))
    op.add_column("instances", sa.Column("zone", sa.String(length=255), nullable=True))
    op.create_table(
        "probes",
        sa.Column("cloud", sa.String(length=63), nullable=False),
        sa.Column("endpoint_url", sa.Text(), nullable=False),
        sa.Column("facts", columns.Document(), nullable=False),
        sa.Column("probed_at", columns.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("cloud", name=op.f("pk_probes")),
    )


def downgrade() -> None:
    """The schema before it."""
    op.drop_table("probes")
    op.drop_column("instances", "zone")
    op.drop_column("instances", "place")
