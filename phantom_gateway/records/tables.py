"""
The tables, as SQLAlchemy sees them; ``migrations`` makes them, and a test holds the two together.

Owns: columns and keys. All data hangs on a user. Does not own: how moments and documents are stored (``columns``).
"""

import sqlalchemy as sa

from phantom_gateway.records.columns import Document, Moment

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _key() -> sa.Column[int]:
    """A primary key that is never used twice: caches and marks may outlive the row."""
    return sa.Column("id", sa.Integer, primary_key=True, autoincrement=True)


gateway = sa.Table(
    "gateway",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
"""Facts about this installation itself: its id (part of every mark) and the secret that seals page tokens."""

users = sa.Table(
    "users",
    metadata,
    _key(),
    sa.Column("name", sa.String(64), nullable=False, unique=True),
    sa.Column("account_id", sa.String(12), nullable=False, unique=True),
    sa.Column("access_key_id", sa.String(128), nullable=False, unique=True),
    sa.Column("secret_sealed", sa.Text, nullable=False),
    sa.Column("password_hash", sa.Text),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("key_created_at", Moment),
    sqlite_autoincrement=True,
)
"""The access key is the older one, where a user has two. *key_created_at*: NULL where it came with the user."""

access_keys = sa.Table(
    "access_keys",
    metadata,
    _key(),
    sa.Column("user_id", sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    sa.Column("access_key_id", sa.String(128), nullable=False, unique=True),
    sa.Column("secret_sealed", sa.Text, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sqlite_autoincrement=True,
)
"""Second access keys."""
sa.Index("ix_access_keys_user_id", access_keys.c.user_id)

accounts = sa.Table(
    "accounts",
    metadata,
    _key(),
    sa.Column("user_id", sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    sa.Column("cloud", sa.String(63), nullable=False),
    sa.Column("credentials_sealed", sa.Text),
    sa.Column("key_name", sa.String(255)),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
    sa.UniqueConstraint("user_id", "cloud"),
    sqlite_autoincrement=True,
)
"""A user's own credentials on a cloud. Removed ones are NULL; the row stays until nothing is left there."""

tokens = sa.Table(
    "tokens",
    metadata,
    _key(),
    sa.Column("user_id", sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    sa.Column("name", sa.String(64)),
    sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
    sa.Column("scopes", Document, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("expires_at", Moment),
    sa.Column("revoked_at", Moment),
    sqlite_autoincrement=True,
)
"""What lets a user in at the JSON API. One that a password got has no name; one made by hand has, and may never end."""
sa.Index("ix_tokens_user_id", tokens.c.user_id)

chef_credentials = sa.Table(
    "chef_credentials",
    metadata,
    _key(),
    sa.Column("user_id", sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("server_url", sa.Text, nullable=False),
    sa.Column("client_name", sa.String(255), nullable=False),
    sa.Column("validation_client_name", sa.String(255), nullable=False),
    sa.Column("keys_sealed", sa.Text, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
    sa.UniqueConstraint("user_id", "name"),
    sqlite_autoincrement=True,
)
"""A user's Chef server, where VMs of launch configurations with a run list register."""

launch_configurations = sa.Table(
    "launch_configurations",
    metadata,
    _key(),
    sa.Column("user_id", sa.ForeignKey("users.id"), nullable=False),
    sa.Column("base_name", sa.String(255), nullable=False),
    sa.Column("uid", sa.String(36), nullable=False),
    sa.Column("user_data_sealed", sa.Text),
    sa.Column("chef_sealed", sa.Text),
    sa.Column("appliance", sa.String(255)),
    sa.Column("description", sa.Text),
    sa.Column("public", sa.Boolean, nullable=False),
    sa.Column("version", sa.Integer, nullable=False, default=1),
    sa.Column("created_at", Moment, nullable=False),
    sa.UniqueConstraint("user_id", "base_name"),
    sqlite_autoincrement=True,
)
"""
One logical launch configuration per base name; its clouds are in ``launch_specs``.

*chef_sealed*: run list and attributes; with them, user data is rendered at launch. *public*: other users may read it.
"""
sa.Index("uq_launch_configurations_uid", launch_configurations.c.uid, unique=True)
sa.Index("ix_launch_configurations_public", launch_configurations.c.public)

launch_specs = sa.Table(
    "launch_specs",
    metadata,
    _key(),
    sa.Column("launch_configuration_id", sa.ForeignKey("launch_configurations.id"), nullable=False),
    sa.Column("user_id", sa.ForeignKey("users.id"), nullable=False),
    sa.Column("name", sa.String(320), nullable=False),
    sa.Column("cloud", sa.String(63), nullable=False),
    sa.Column("uid", sa.String(36), nullable=False, unique=True),
    sa.Column("image_id", sa.String(255), nullable=False),
    sa.Column("instance_type", sa.String(255), nullable=False),
    sa.Column("key_name", sa.String(255)),
    sa.Column("user_data_sealed", sa.Text),
    sa.Column("settings", Document, nullable=False),
    sa.Column("rank", sa.Integer, nullable=False),
    sa.Column("max_vms", sa.Integer, nullable=False),
    sa.Column("common", sa.Boolean, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.UniqueConstraint("user_id", "name"),
    sa.UniqueConstraint("launch_configuration_id", "cloud"),
    sqlite_autoincrement=True,
)
"""
One cloud's share of a launch configuration: what AWS clients see as ``base@cloud``.

What it launches never changes: another image makes another row. *rank* and *max_vms* (-1: no cap) say how much of a
group it takes, *common* whether the image is one of the cloud's public ones.
"""

groups = sa.Table(
    "groups",
    metadata,
    _key(),
    sa.Column("uid", sa.String(36), nullable=False, unique=True),
    sa.Column("user_id", sa.ForeignKey("users.id"), nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("launch_configuration", sa.String(320), nullable=False),
    sa.Column("minimum", sa.Integer, nullable=False),
    sa.Column("maximum", sa.Integer, nullable=False),
    sa.Column("desired", sa.Integer, nullable=False),
    sa.Column("cooldown_s", sa.Integer, nullable=False),
    sa.Column("last_scaled_at", Moment),
    sa.Column("zones", Document, nullable=False),
    sa.Column("definition", sa.String(64)),
    sa.Column("clouds", sa.Text),
    sa.Column("fail_back", sa.String(16)),
    sa.Column("termination_policies", Document, nullable=False),
    sa.Column("new_instances_protected", sa.Boolean, nullable=False),
    sa.Column("settings", Document, nullable=False),
    sa.Column("suspended", Document, nullable=False),
    sa.Column("failing_since", Moment),
    sa.Column("launch_failures", sa.Integer, nullable=False),
    sa.Column("crashes", Document, nullable=False),
    sa.Column("deleting", sa.Boolean, nullable=False),
    sa.Column("causes", Document, nullable=False),
    sa.Column("owed_replacements", sa.Integer, nullable=False),
    sa.Column("waiting_on", Document, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sqlite_autoincrement=True,
)
"""
Intent, and what AWS clients see of it. *generation* grows with every change of intent, *version* with any visible one.

*suspended* maps names of processes to the reason shown. *launch_failures* have come in a row since *failing_since*.
*crashes* maps clouds to what is recorded of instances that died young there.
*definition*, *clouds* and *fail_back* repeat the tags of these meanings, which every pass and many requests need.
A group being deleted keeps its row until its machines are gone, but no longer its name.
"""
sa.Index(
    "uq_groups_living_name",
    groups.c.user_id,
    groups.c.name,
    unique=True,
    sqlite_where=sa.not_(groups.c.deleting),
    postgresql_where=sa.not_(groups.c.deleting),
)
sa.Index("ix_groups_user_id_name", groups.c.user_id, groups.c.name)

tags = sa.Table(
    "tags",
    metadata,
    sa.Column("group_id", sa.ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("key", sa.String(128), primary_key=True),
    sa.Column("value", sa.String(256), nullable=False),
    sa.Column("propagate_at_launch", sa.Boolean, nullable=False),
)

instances = sa.Table(
    "instances",
    metadata,
    _key(),
    sa.Column("group_id", sa.ForeignKey("groups.id"), nullable=False),
    sa.Column("user_id", sa.ForeignKey("users.id"), nullable=False),
    sa.Column("cloud", sa.String(63), nullable=False),
    sa.Column("token", sa.String(64), nullable=False),
    sa.Column("token_index", sa.Integer, nullable=False),
    sa.Column("state", sa.String(32), nullable=False),
    sa.Column("machine_id", sa.String(255)),
    sa.Column("instance_id", sa.String(32)),
    sa.Column("private_ip", sa.String(45)),
    sa.Column("public_ip", sa.String(45)),
    sa.Column("launch_configuration", sa.String(320), nullable=False),
    sa.Column("instance_type", sa.String(255), nullable=False),
    sa.Column("image_id", sa.String(255)),
    sa.Column("key_name", sa.String(255)),
    sa.Column("spec_created_at", Moment),
    sa.Column("claimed_at", Moment, nullable=False),
    sa.Column("bound_at", Moment),
    sa.Column("in_service_at", Moment),
    sa.Column("terminate_sent_at", Moment),
    sa.Column("protected", sa.Boolean, nullable=False),
    sa.Column("healthy", sa.Boolean, nullable=False),
    sa.Column("activity_id", sa.String(36), nullable=False),
    sa.Column("place", sa.String(255)),
    sa.Column("zone", sa.String(255)),
    sa.UniqueConstraint("token", "token_index"),
    sa.UniqueConstraint("cloud", "machine_id"),
    sqlite_autoincrement=True,
)
"""
The ledger: claims and the machines they became. *activity_id* is the activity that is open, or the last one.

*place* is the zone or subnet that the launch named. *zone* is the AvailabilityZone shown where it is not the cloud.
"""
sa.Index("ix_instances_group_id", instances.c.group_id)
sa.Index("ix_instances_user_id_instance_id", instances.c.user_id, instances.c.instance_id)

probes = sa.Table(
    "probes",
    metadata,
    sa.Column("cloud", sa.String(63), primary_key=True),
    sa.Column("endpoint_url", sa.Text, nullable=False),
    sa.Column("facts", Document, nullable=False),
    sa.Column("probed_at", Moment, nullable=False),
)
"""What was found out of each cloud, of the endpoint that it had then. Facts about another endpoint are not used."""

activities = sa.Table(
    "activities",
    metadata,
    _key(),
    sa.Column("activity_id", sa.String(36), nullable=False, unique=True),
    sa.Column("user_id", sa.ForeignKey("users.id"), nullable=False),
    sa.Column("group_uid", sa.String(36), nullable=False),
    sa.Column("group_name", sa.String(255), nullable=False),
    sa.Column("group_deleted", sa.Boolean, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("status_code", sa.String(64), nullable=False),
    sa.Column("status_message", sa.String(255)),
    sa.Column("progress", sa.Integer, nullable=False),
    sa.Column("details", sa.Text, nullable=False),
    sa.Column("started_at", Moment, nullable=False),
    sa.Column("ended_at", Moment),
    sqlite_autoincrement=True,
)
"""What a user sees of actions. Activities outlive their group by design: they hang on the user, not on the group."""
sa.Index("ix_activities_user_id_group_name_id", activities.c.user_id, activities.c.group_name, activities.c.id)
sa.Index("ix_activities_group_uid", activities.c.group_uid)
sa.Index("ix_activities_ended_at", activities.c.ended_at)

sensor_series = sa.Table(
    "sensor_series",
    metadata,
    _key(),
    sa.Column("user_id", sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    sa.Column("group_uid", sa.String(36), nullable=False),
    sa.Column("instance_key", sa.Integer, nullable=False),
    sa.Column("metric", sa.String(255), nullable=False),
    sa.Column("last_value", sa.Double, nullable=False),
    sa.Column("last_at", Moment, nullable=False),
    sa.UniqueConstraint("group_uid", "instance_key", "metric"),
    sqlite_autoincrement=True,
)
"""
One metric of one instance (*instance_key* is its id here), or of the group itself (0), with its latest value.

Neither group nor instance is a foreign key: data outlives an instance, and goes with its group when it is pruned.
"""
sa.Index("ix_sensor_series_user_id_last_at", sensor_series.c.user_id, sensor_series.c.last_at)
sa.Index("ix_sensor_series_user_id_metric", sensor_series.c.user_id, sensor_series.c.metric)

sensor_rollups = sa.Table(
    "sensor_rollups",
    metadata,
    sa.Column("series_id", sa.ForeignKey("sensor_series.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("minute", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("total", sa.Double, nullable=False),
    sa.Column("least", sa.Double, nullable=False),
    sa.Column("most", sa.Double, nullable=False),
    sa.Column("last", sa.Double, nullable=False),
    sqlite_with_rowid=False,
)
"""What the samples of a series in one minute (counted from 1970) came to. Without row ids, a row takes 60 bytes."""

events = sa.Table(
    "events",
    metadata,
    _key(),
    sa.Column("user_id", sa.ForeignKey("users.id"), nullable=False),
    sa.Column("group_uid", sa.String(36), nullable=False),
    sa.Column("group_name", sa.String(255), nullable=False),
    sa.Column("changes", Document, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sqlite_autoincrement=True,
)
"""What changed of a group in one transaction, for those who watch. Events outlive their group, as activities do."""
sa.Index("ix_events_user_id_id", events.c.user_id, events.c.id)

gateways = sa.Table(
    "gateways",
    metadata,
    sa.Column("boot", sa.String(36), primary_key=True),
    sa.Column("place", sa.String(128), nullable=False),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("is_alone", sa.Boolean, nullable=False),
    sa.Column("seen_at", sa.BigInteger, nullable=False),
)
"""Gateways that share this database, and when the server's clock saw them last (microseconds). Empty on SQLite."""

shards = sa.Table(
    "shards",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("owner", sa.String(36)),
    sa.Column("epoch", sa.BigInteger, nullable=False),
)
"""Whose groups are whose: *owner* is the *boot* of a gateway, *epoch* grows with every change of hands."""

wakes = sa.Table(
    "wakes",
    metadata,
    _key(),
    sa.Column("shard", sa.Integer, nullable=False),
    sa.Column("uid", sa.String(36), nullable=False),
    sqlite_autoincrement=True,
)
"""Groups that a gateway changed whose owner is another; the owner takes them away."""
sa.Index("ix_wakes_shard", wakes.c.shard)

freezes = sa.Table(
    "freezes",
    metadata,
    sa.Column("scope", sa.String(8), primary_key=True),
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("by", sa.String(64), nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)
"""What people have frozen. *name* is a cloud's name, a user's id, a group's uid, or empty; *label* what people read."""

answers = sa.Table(
    "answers",
    metadata,
    _key(),
    sa.Column("digest", sa.LargeBinary(16), nullable=False, unique=True),
    sa.Column("user_id", sa.Integer, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("request_id", sa.String(36), nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    sqlite_autoincrement=True,
)
"""What writing requests of the last minutes were answered, for clients that send one again. Bounded, and pruned."""
sa.Index("ix_answers_at", answers.c.at)

audit = sa.Table(
    "audit",
    metadata,
    _key(),
    sa.Column("chain", sa.String(48), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("who", sa.String(64), nullable=False),
    sa.Column("key", sa.String(128), nullable=False),
    sa.Column("address", sa.String(64), nullable=False),
    sa.Column("request_id", sa.String(36), nullable=False),
    sa.Column("action", sa.String(64), nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("result", sa.String(32), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.UniqueConstraint("chain", "number"),
    sqlite_autoincrement=True,
)
"""Who changed what. Rows are added and never changed; *hash* covers the row and the one before it in its *chain*."""
