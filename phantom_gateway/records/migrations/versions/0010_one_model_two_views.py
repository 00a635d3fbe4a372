"""Launch configurations and instances hold what the JSON API shows of them, too."""

import uuid

import sqlalchemy as sa
from alembic import op

from phantom_gateway.records import tables

revision = "0010"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The schema of this revision. What AWS clients made gets the rank of its age, and no cap."""
    with op.batch_alter_table("launch_configurations") as batch_op:
        batch_op.add_column(sa.Column("uid", sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column("chef_sealed", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("appliance", sa.String(length=255), nullable=True))
        batch_op.add_column(sa.Column("description", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("public", sa.Boolean(), nullable=True))
        batch_op.add_column(sa.Column("created_at", tables.Moment(), nullable=True))
    with op.batch_alter_table("launch_specs") as batch_op:
        batch_op.add_column(sa.Column("rank", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("max_vms", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("common", sa.Boolean(), nullable=True))
    with op.batch_alter_table("instances") as batch_op:
        batch_op.add_column(sa.Column("image_id", sa.String(length=255), nullable=True))
        batch_op.add_column(sa.Column("key_name", sa.String(length=255), nullable=True))

    _fill(op.get_bind())

    with op.batch_alter_table("launch_configurations") as batch_op:
        batch_op.alter_column("uid", existing_type=sa.String(length=36), nullable=False)
        batch_op.alter_column("public", existing_type=sa.Boolean(), nullable=False)
        batch_op.alter_column("created_at", existing_type=tables.Moment(), nullable=False)
        batch_op.create_unique_constraint("uq_launch_configurations_uid", ["uid"])
        batch_op.create_index("ix_launch_configurations_public", ["public"], unique=False)
    with op.batch_alter_table("launch_specs") as batch_op:
        batch_op.alter_column("rank", existing_type=sa.Integer(), nullable=False)
        batch_op.alter_column("max_vms", existing_type=sa.Integer(), nullable=False)
        batch_op.alter_column("common", existing_type=sa.Boolean(), nullable=False)


def _fill(bind: sa.Connection) -> None:
    logical = sa.table("launch_configurations", *map(sa.column, ("id", "uid", "public", "created_at")))
    specs = sa.table(
        "launch_specs",
        *map(sa.column, ("id", "launch_configuration_id", "user_id", "name", "image_id", "key_name", "created_at")),
        *map(sa.column, ("rank", "max_vms", "common")),
    )
    members = sa.table("instances", *map(sa.column, ("user_id", "launch_configuration", "image_id", "key_name")))
    older = specs.alias()
    rank = (
        sa.select(sa.func.count())
        .where(older.c.launch_configuration_id == specs.c.launch_configuration_id, older.c.id <= specs.c.id)
        .scalar_subquery()
    )
    bind.execute(specs.update().values(rank=rank, max_vms=-1, common=sa.true()))
    first = (
        sa.select(sa.func.min(specs.c.created_at))
        .where(specs.c.launch_configuration_id == logical.c.id)
        .scalar_subquery()
    )
    bind.execute(logical.update().values(public=sa.false(), created_at=sa.func.coalesce(first, 0)))
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
    with op.batch_alter_table("instances") as batch_op:
        batch_op.drop_column("key_name")
        batch_op.drop_column("image_id")
    with op.batch_alter_table("launch_specs") as batch_op:
        batch_op.drop_column("common")
        batch_op.drop_column("max_vms")
        batch_op.drop_column("rank")
    with op.batch_alter_table("launch_configurations") as batch_op:
        batch_op.drop_index("ix_launch_configurations_public")
        batch_op.drop_constraint("uq_launch_configurations_uid", type_="unique")
        for name in ("created_at", "public", "description", "appliance", "chef_sealed", "uid"):
            batch_op.drop_column(name)
