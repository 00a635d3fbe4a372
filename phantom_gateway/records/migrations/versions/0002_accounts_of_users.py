"""Users have credentials of their own on clouds."""

import sqlalchemy as sa
from alembic import op

from phantom_gateway.records import columns

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The schema of this revision."""
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("cloud", sa.String(length=63), nullable=False),
        sa.Column("credentials_sealed", sa.Text(), nullable=True),
        sa.Column("key_name", sa.String(length=255), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", columns.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_accounts_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("user_id", "cloud", name=op.f("uq_accounts_user_id_cloud")),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """The schema before it."""
    op.drop_table("accounts")
