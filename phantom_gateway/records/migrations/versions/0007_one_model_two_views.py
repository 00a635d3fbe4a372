"""Launch configurations and instances hold what the JSON API shows of them, too."""

import uuid
from typing import Any

import sqlalchemy as sa
from alembic import op

from phantom_gateway.records import columns

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def added() -> dict[str, tuple[sa.Column[Any], ...]]:
    """
    The new columns by table.

    Each is added in place, with a default that lasts: SQLite would otherwise make the table anew, and cannot drop one
    that others refer to.
    """
    return {
        "launch_configurations": (
            sa.Column("uid", sa.String(length=36), nullable=False, server_default=""),
            sa.Column("chef_sealed", sa.Text(), nullable=True),
            sa.Column("appliance", sa.String(length=255), nullable=True),
            sa.Column("description", sa.Text(), nullable=True),
            sa.Column("public", sa.Boolean(), nullable=False, server_default=sa.false()),
            sa.Column("created_at", columns.Moment(), nullable=False, server_default="0"),
        ),
        "launch_specs": (
            sa.Column("rank", sa.Integer(), nullable=False, server_default="1"),
            sa.Column("max_vms", sa.Integer(), nullable=False, server_default="-1"),
            sa.Column("common", sa.Boolean(), nullable=False, server_default=sa.true()),
        ),
        "instances": (
            sa.Column("image_id", sa.String(length=255), nullable=True),
            sa.Column("key_name", sa.String(length=255), nullable=True),
        ),
    }


def upgrade() -> None:
    """The schema of this revision. What AWS clients made gets the rank of its age, and no cap."""
    for table, additions in added().items():
        for column in additions:
            op.add_column(table, column)
    _fill(op.get_bind())
    op.create_index("uq_launch_configurations_uid", "launch_configurations", ["uid"], unique=True)
    op.create_index("ix_launch_configurations_public", "launch_configurations", ["public"], unique=False)


def _fill(bind: sa.Connection) -> None:
    logical = sa.table("launch_configurations", *map(sa.column, ("id", "uid", "created_at")))
    specs = sa.table(
        "launch_specs",
        *map(
            sa.column,
            ("id", "launch_configuration_id", "user_id", "name", "image_id", "key_name", "created_at", "rank"),
        ),
    )
    members = sa.table("instances", *map(sa.column, ("user_id", "launch_configuration", "image_id", "key_name")))
    older = specs.alias()
    rank = (
        sa.select(sa.func.count())
        .where(older.c.launch_configuration_id == specs.c.launch_configuration_id, older.c.id <= specs.c.id)
        .scalar_subquery()
    )
    bind.execute(specs.update().values(rank=rank))
    first = (
        sa.select(sa.func.min(specs.c.created_at))
        .where(specs.c.launch_configuration_id == logical.c.id)
        .scalar_subquery()
    )
    bind.execute(logical.update().values(created_at=sa.func.coalesce(first, 0)))
    for (key,) in bind.execute(sa.select(logical.c.id)).all():
        bind.execute(logical.update().where(logical.c.id == key).values(uid=str(uuid.uuid4())))
    own = (specs.c.user_id == members.c.user_id, specs.c.name == members.c.launch_configuration)
    bind.execute(
        members.update().values(
            image_id=sa.select(specs.c.image_id).where(*own).scalar_subquery(),
            key_name=sa.select(specs.c.key_name).where(*own).scalar_subquery(),
        )
    )


def downgrade() -> None:
    """The schema before it."""
    op.drop_index("ix_launch_configurations_public", "launch_configurations")
    op.drop_index("uq_launch_configurations_uid", "launch_configurations")
    for table, additions in added().items():
        for column in additions:
            op.drop_column(table, column.name)
