"""What sensors send is kept: the latest value of each series, and its minutes."""

import sqlalchemy as sa
from alembic import op

from phantom_gateway.records import columns

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The schema of this revision."""
    op.create_table(
        "sensor_series",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("group_uid", sa.String(length=36), nullable=False),
        sa.Column("instance_key", sa.Integer(), nullable=False),
        sa.Column("metric", sa.String(length=255), nullable=False),
        sa.Column("last_value", sa.Double(), nullable=False),
        sa.Column("last_at", columns.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sensor_series_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sensor_series")),
        sa.UniqueConstraint(
            "group_uid", "instance_key", "metric", name=op.f("uq_sensor_series_group_uid_instance_key_metric")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_sensor_series_user_id_last_at", "sensor_series", ["user_id", "last_at"])
    op.create_index("ix_sensor_series_user_id_metric", "sensor_series", ["user_id", "metric"])
    op.create_table(
        "sensor_rollups",
        sa.Column("series_id", sa.Integer(), nullable=False),
        sa.Column("minute", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("total", sa.Double(), nullable=False),
        sa.Column("least", sa.Double(), nullable=False),
        sa.Column("most", sa.Double(), nullable=False),
        sa.Column("last", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["series_id"], ["sensor_series.id"], name=op.f("fk_sensor_rollups_series_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("series_id", "minute", name=op.f("pk_sensor_rollups")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """The schema before it."""
    op.drop_table("sensor_rollups")
    op.drop_table("sensor_series")
