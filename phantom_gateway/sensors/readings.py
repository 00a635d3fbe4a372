"""
What sensors say, for the reconciler: implements :class:`reconciler.sensors.Sensors`.

Owns: which source a policy means. Does not own: the sources.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from phantom_gateway.records import access_keys, sensors, users
from phantom_gateway.records.columns import EPOCH
from phantom_gateway.records.sensors import GROUP_ITSELF, Minute, minute_of
from phantom_gateway.records.session import Connection, Database
from phantom_gateway.sensors.intake import LOOK_S_MAX, Intake
from phantom_gateway.sensors.memory import latest_reading, total_of
from phantom_gateway.sensors.monitors import Subject
from phantom_gateway.sensors.polling import Poller
from phantom_gateway.sensors.whereabouts import Target
from reconciler.model import GroupRecord, InstanceState, Reading, Readings, SensorPolicy, SensorSource


class GatewaySensors:
    """Reads what was sent to the gateway, and what other monitoring systems said. *pollers* may lack any source."""

    def __init__(self, database: Database, intake: Intake, pollers: Mapping[SensorSource, Poller]) -> None:
        self._database = database
        self._intake = intake
        self._pollers = pollers

    async def readings(self, record: GroupRecord, now: datetime) -> Readings:
        """See the port."""
        policy = record.group.policy
        assert policy is not None
        poller = self._pollers.get(policy.source)
        if poller is not None:
            self._intake.memory.watch(record.group.uid, None)
            return poller.readings(record)
        if policy.source is SensorSource.PROMETHEUS:
            return Readings(trouble="no Prometheus is configured, in [sensors.prometheus]")
        return await self._received(record, policy, now)

    async def _received(self, record: GroupRecord, policy: SensorPolicy, now: datetime) -> Readings:
        """What was sent here. What came before the last start is known by its last value."""
        group, memory = record.group, self._intake.memory
        memory.watch(group.uid, policy)
        serving = [i.key for i in record.instances if i.state is InstanceState.IN_SERVICE]
        keys = [GROUP_ITSELF] if policy.of_group else serving
        found = {key: memory.reading(Target(group.user_id, group.uid, key), policy, now) for key in keys}
        if self._database.is_shared:
            found |= await self._elsewhere(record, policy, found, now)
        elif any(reading is None for reading in found.values()):
            stored = await self._database.read(lambda connection: sensors.latest(connection, group.uid, policy.metric))
            for key, reading in found.items():
                if reading is None and key in stored:
                    value, at = stored[key]
                    found[key] = latest_reading(policy, value, (at - EPOCH).total_seconds())
        known = {key: reading for key, reading in found.items() if reading is not None}
        return Readings(_without_group(known), known.get(GROUP_ITSELF))

    async def _elsewhere(
        self, record: GroupRecord, policy: SensorPolicy, found: Mapping[int, Reading | None], now: datetime
    ) -> dict[int, Reading]:
        """
        What other gateways were sent that is newer than what is *found* here, by instance key.

        They write every few seconds; a window is made of whole minutes, the one it begins in included.
        """
        uid, since = record.group.uid, minute_of(now - timedelta(seconds=policy.sample_period_s))

        def stored(connection: Connection) -> tuple[dict[int, tuple[float, datetime]], dict[int, list[Minute]]]:
            minutes = sensors.minutes_of_group(connection, uid, policy.metric, since)
            return sensors.latest(connection, uid, policy.metric), minutes

        latest, minutes = await self._database.read(stored)
        newer = {}
        for key, own in found.items():
            if key in latest and (own is None or own.at < latest[key][1]):
                value, at = latest[key]
                whole = total_of(minutes[key], policy.statistic) if key in minutes else None
                moment = (at - EPOCH).total_seconds()
                newer[key] = latest_reading(policy, value if whole is None else whole, moment, is_sum=whole is not None)
        return newer


class Subjects:
    """What there is to ask other monitoring systems about a group."""

    def __init__(self, database: Database, intake: Intake) -> None:
        self._database = database
        self._intake = intake

    async def __call__(self, record: GroupRecord) -> Subject:
        """The names of the group, its user and its instances' hosts. Raises RecordsUnavailable."""
        group = record.group
        assert group.policy is not None
        await self._intake.look(LOOK_S_MAX / 2)
        serving = {i.key for i in record.instances if i.state is InstanceState.IN_SERVICE}
        places = [place for key, place in self._intake.whereabouts.by_key.items() if key in serving]
        names = await self._database.read(lambda connection: _names(connection, group.user_id))
        return Subject(
            policy=group.policy,
            hosts={name.lower(): place.instance_key for place in places for name in place.names},
            domains=(group.uid, group.name),
            users=names,
        )


def _names(connection: Connection, user_id: int) -> tuple[str, ...]:
    """What the user may be called in samples: access keys and name; () when there is no such user."""
    user = users.by_id(connection, user_id)
    keys = access_keys.of_user(connection, user_id)
    return () if user is None else (*(key.access_key_id for key in keys), user.name)


def _without_group(known: Mapping[int, Reading]) -> dict[int, Reading]:
    return {key: reading for key, reading in known.items() if key != GROUP_ITSELF}
