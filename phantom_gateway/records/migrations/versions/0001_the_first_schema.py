"""The first schema."""

import sqlalchemy as sa
from alembic import op

from phantom_gateway.records import columns

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The schema of this revision."""
    op.create_table(
        "gateway",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_gateway")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("access_key_id", sa.String(length=128), nullable=False),
        sa.Column("secret_sealed", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("created_at", columns.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("access_key_id", name=op.f("uq_users_access_key_id")),
        sa.UniqueConstraint("account_id", name=op.f("uq_users_account_id")),
        sa.UniqueConstraint("name", name=op.f("uq_users_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "activities",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("activity_id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("group_uid", sa.String(length=36), nullable=False),
        sa.Column("group_name", sa.String(length=255), nullable=False),
        sa.Column("group_deleted", sa.Boolean(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("status_code", sa.String(length=64), nullable=False),
        sa.Column("status_message", sa.String(length=255), nullable=True),
        sa.Column("progress", sa.Integer(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("started_at", columns.Moment(), nullable=False),
        sa.Column("ended_at", columns.Moment(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_activities_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activities")),
        sa.UniqueConstraint("activity_id", name=op.f("uq_activities_activity_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("activities", schema=None) as batch_op:
        batch_op.create_index("ix_activities_ended_at", ["ended_at"], unique=False)
        batch_op.create_index("ix_activities_group_uid", ["group_uid"], unique=False)
        batch_op.create_index("ix_activities_user_id_group_name_id", ["user_id", "group_name", "id"], unique=False)

    op.create_table(
        "groups",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("launch_configuration", sa.String(length=320), nullable=False),
        sa.Column("minimum", sa.Integer(), nullable=False),
        sa.Column("maximum", sa.Integer(), nullable=False),
        sa.Column("desired", sa.Integer(), nullable=False),
        sa.Column("cooldown_s", sa.Integer(), nullable=False),
        sa.Column("last_scaled_at", columns.Moment(), nullable=True),
        sa.Column("zones", columns.Document(), nullable=False),
        sa.Column("definition", sa.String(length=64), nullable=True),
        sa.Column("clouds", sa.Text(), nullable=True),
        sa.Column("fail_back", sa.String(length=16), nullable=True),
        sa.Column("termination_policies", columns.Document(), nullable=False),
        sa.Column("new_instances_protected", sa.Boolean(), nullable=False),
        sa.Column("settings", columns.Document(), nullable=False),
        sa.Column("suspended", columns.Document(), nullable=False),
        sa.Column("failing_since", columns.Moment(), nullable=True),
        sa.Column("launch_failures", sa.Integer(), nullable=False),
        sa.Column("deleting", sa.Boolean(), nullable=False),
        sa.Column("causes", columns.Document(), nullable=False),
        sa.Column("owed_replacements", sa.Integer(), nullable=False),
        sa.Column("waiting_on", columns.Document(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", columns.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_groups_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_groups")),
        sa.UniqueConstraint("uid", name=op.f("uq_groups_uid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("groups", schema=None) as batch_op:
        batch_op.create_index("ix_groups_user_id_name", ["user_id", "name"], unique=False)
        batch_op.create_index(
            "uq_groups_living_name",
            ["user_id", "name"],
            unique=True,
            sqlite_where=sa.text("deleting = 0"),
            postgresql_where=sa.text("NOT deleting"),
        )

    op.create_table(
        "launch_configurations",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("base_name", sa.String(length=255), nullable=False),
        sa.Column("user_data_sealed", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_launch_configurations_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_launch_configurations")),
        sa.UniqueConstraint("user_id", "base_name", name=op.f("uq_launch_configurations_user_id_base_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "instances",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("cloud", sa.String(length=63), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("token_index", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("machine_id", sa.String(length=255), nullable=True),
        sa.Column("instance_id", sa.String(length=32), nullable=True),
        sa.Column("private_ip", sa.String(length=45), nullable=True),
        sa.Column("public_ip", sa.String(length=45), nullable=True),
        sa.Column("launch_configuration", sa.String(length=320), nullable=False),
        sa.Column("instance_type", sa.String(length=255), nullable=False),
        sa.Column("spec_created_at", columns.Moment(), nullable=True),
        sa.Column("claimed_at", columns.Moment(), nullable=False),
        sa.Column("bound_at", columns.Moment(), nullable=True),
        sa.Column("in_service_at", columns.Moment(), nullable=True),
        sa.Column("terminate_sent_at", columns.Moment(), nullable=True),
        sa.Column("protected", sa.Boolean(), nullable=False),
        sa.Column("healthy", sa.Boolean(), nullable=False),
        sa.Column("activity_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=op.f("fk_instances_group_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_instances_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instances")),
        sa.UniqueConstraint("cloud", "machine_id", name=op.f("uq_instances_cloud_machine_id")),
        sa.UniqueConstraint("token", "token_index", name=op.f("uq_instances_token_token_index")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("instances", schema=None) as batch_op:
        batch_op.create_index("ix_instances_group_id", ["group_id"], unique=False)
        batch_op.create_index("ix_instances_user_id_instance_id", ["user_id", "instance_id"], unique=False)

    op.create_table(
        "launch_specs",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("launch_configuration_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=320), nullable=False),
        sa.Column("cloud", sa.String(length=63), nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("image_id", sa.String(length=255), nullable=False),
        sa.Column("instance_type", sa.String(length=255), nullable=False),
        sa.Column("key_name", sa.String(length=255), nullable=True),
        sa.Column("user_data_sealed", sa.Text(), nullable=True),
        sa.Column("settings", columns.Document(), nullable=False),
        sa.Column("created_at", columns.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["launch_configuration_id"],
            ["launch_configurations.id"],
            name=op.f("fk_launch_specs_launch_configuration_id"),
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_launch_specs_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_launch_specs")),
        sa.UniqueConstraint(
            "launch_configuration_id", "cloud", name=op.f("uq_launch_specs_launch_configuration_id_cloud")
        ),
        sa.UniqueConstraint("uid", name=op.f("uq_launch_specs_uid")),
        sa.UniqueConstraint("user_id", "name", name=op.f("uq_launch_specs_user_id_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "tags",
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("value", sa.String(length=256), nullable=False),
        sa.Column("propagate_at_launch", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=op.f("fk_tags_group_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("group_id", "key", name=op.f("pk_tags")),
    )


def downgrade() -> None:
    """The schema before it."""
    op.drop_table("tags")
    op.drop_table("launch_specs")
    with op.batch_alter_table("instances", schema=None) as batch_op:
        batch_op.drop_index("ix_instances_user_id_instance_id")
        batch_op.drop_index("ix_instances_group_id")

    op.drop_table("instances")
    op.drop_table("launch_configurations")
    with op.batch_alter_table("groups", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_groups_living_name", sqlite_where=sa.text("deleting = 0"), postgresql_where=sa.text("NOT deleting")
        )
        batch_op.drop_index("ix_groups_user_id_name")

    op.drop_table("groups")
    with op.batch_alter_table("activities", schema=None) as batch_op:
        batch_op.drop_index("ix_activities_user_id_group_name_id")
        batch_op.drop_index("ix_activities_group_uid")
        batch_op.drop_index("ix_activities_ended_at")

    op.drop_table("activities")
    op.drop_table("users")
    op.drop_table("gateway")
