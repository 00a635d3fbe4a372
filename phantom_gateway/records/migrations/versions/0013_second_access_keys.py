"""Users may have a second access key, so that one can be changed for another without a pause."""

import sqlalchemy as sa
from alembic import op

from phantom_gateway.records import columns

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The schema of this revision."""
    op.create_table(
        "access_keys",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("access_key_id", sa.String(length=128), nullable=False),
        sa.Column("secret_sealed", sa.Text(), nullable=False),
        sa.Column("created_at", columns.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_access_keys_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_keys")),
        sa.UniqueConstraint("access_key_id", name=op.f("uq_access_keys_access_key_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_access_keys_user_id", "access_keys", ["user_id"])
    op.add_column("users", sa.Column("key_created_at", columns.Moment()))


def downgrade() -> None:
    """The schema before it."""
    op.drop_column("users", "key_created_at")
    op.drop_table("access_keys")
