"""What sensors say, in the answers about domains and their VMs."""

from phantom_gateway.records import instances, sensors
from phantom_gateway.records.groups import by_uid
from phantom_gateway.records.sensors import GROUP_ITSELF, Rollup, SeriesName
from phantom_gateway.records.session import Connection
from tests.phantom_gateway.http_api.clerk import Clerk
from tests.phantom_gateway.http_api.test_domains import given
from tests.phantom_gateway.http_api.test_launch_configurations import given as launch
from tests.phantom_gateway.office import Office


async def test_each_shows_what_its_own_sensors_say(office: Office) -> None:
    """A domain has the data of the domain's sensors, a VM those of its own; alone and in lists."""
    clerk = Clerk(office)
    clerk.call("POST", "/launchconfigurations", launch())
    domain = clerk.call("POST", "/domains", given())
    await office.fill_now("d")

    def job(connection: Connection) -> None:
        group = by_uid(connection, domain["id"])
        assert group is not None
        first = instances.of_group(connection, group.id)[0]
        for key, metric, value in ((GROUP_ITSELF, "queue", 9.0), (first.id, "load", 0.5)):
            name, minute = SeriesName(group.uid, key, metric), sensors.minute_of(office.now)
            sample = Rollup(office.user.id, name, minute, 1, value, value, value, value, office.now)
            assert sensors.add(connection, [sample], 100, office.now) == 0

    office.database.write_now(job)

    shown = clerk.call("GET", domain["uri"])
    (first, second, _) = clerk.call("GET", f"{domain['uri']}/instances")
    assert shown["sensor_data"] == {"queue": {"series": [9.0], "average": 9.0}}
    assert clerk.call("GET", "/domains") == [shown]
    assert (first["sensor_data"], second["sensor_data"]) == ({"load": {"series": [0.5], "average": 0.5}}, {})
    assert clerk.call("GET", first["uri"]) == first
    assert clerk.call("PUT", domain["uri"], shown) == shown
