"""Users have Chef servers."""

import sqlalchemy as sa
from alembic import op

from phantom_gateway.records import columns

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The schema of this revision."""
    op.create_table(
        "chef_credentials",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("server_url", sa.Text(), nullable=False),
        sa.Column("client_name", sa.String(length=255), nullable=False),
        sa.Column("validation_client_name", sa.String(length=255), nullable=False),
        sa.Column("keys_sealed", sa.Text(), nullable=False),
        sa.Column("updated_at", columns.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_chef_credentials_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chef_credentials")),
        sa.UniqueConstraint("user_id", "name", name=op.f("uq_chef_credentials_user_id_name")),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """The schema before it."""
    op.drop_table("chef_credentials")
