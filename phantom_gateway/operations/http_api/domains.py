"""
``/domains``: groups, as the JSON API's clients know them.

Owns: their shape, and which endpoint does what. Does not own: rules shared with the AWS API (``group_rules``,
``capacity``, ``steering``), policies as tags (``policies``), or VMs (``domain_instances``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phantom_gateway.group_clouds import clouds_of
from phantom_gateway.operations.desk import Desk
from phantom_gateway.operations.group_rules import (
    COOLDOWN_DEFAULT_S,
    SETTINGS_DEFAULT,
    Bounds,
    check_groups_max,
    check_name,
    delete_group,
    make_group,
)
from phantom_gateway.operations.http_api import domain_changes, policies
from phantom_gateway.operations.http_api.call import NO_CONTENT, PREFIX, Answer, Call, created, exists_already
from phantom_gateway.operations.http_api.domain_changes import bounds_of
from phantom_gateway.operations.http_api.errors import bad_request, conflict, not_found
from phantom_gateway.operations.http_api.launch_configurations import uri_of as uri_of_launch_configuration
from phantom_gateway.operations.http_api.schemas import FLAG, NAME_LENGTH_MAX, TEXT, Schema, list_of, nullable, record
from phantom_gateway.operations.http_api.spellings import chosen
from phantom_gateway.operations.http_api.table import endpoint
from phantom_gateway.operations.http_api.values import whole_schema
from phantom_gateway.phantom_tags import DE_NAME, DEFINITION, OVERFLOW, VMS_MAX
from phantom_gateway.records import base_configurations, groups, sensors, tags
from phantom_gateway.records.base_configurations import BaseConfiguration
from phantom_gateway.records.groups import GroupRow
from phantom_gateway.records.launch_configurations import NO_CAP, LaunchSpecRecord, ranked
from phantom_gateway.records.sensors import GROUP_ITSELF
from protocol.errors import shown

_POLICY: Mapping[str, Schema] = {
    **policies.WATCHED_FIELDS,
    "vm_count": whole_schema(0, VMS_MAX, "multicloud: how many VMs"),
    **{field: schema for field, (_, schema) in policies.SENSOR_FIELDS.items()},
    **policies.BOUNDS_FIELDS,
}
_LC_NAMES: Mapping[str, Schema] = {
    "lc_name": {"type": ["string", "null"], "description": "name of a launch configuration"},
    "launchconfiguration": {"type": ["string", "null"], "description": "another spelling: its uri"},
}
_DE_NAME: Schema = {"type": "string", "enum": [policies.MULTICLOUD, policies.SENSOR]}
_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": NAME_LENGTH_MAX}
NEW = record("DomainNew", {"name": _NAME, "de_name": _DE_NAME, **_LC_NAMES, **_POLICY}, optional=(*_LC_NAMES, *_POLICY))
GIVEN = record(
    "DomainGiven",
    {"name": {**_NAME, "description": "left out: it stays"}, "de_name": _DE_NAME, **_LC_NAMES, **_POLICY},
    optional=("name", *_LC_NAMES, *_POLICY),
)
SHOWN = record(
    "Domain",
    {
        "id": TEXT,
        "name": TEXT,
        "owner": TEXT,
        "uri": TEXT,
        "de_name": _DE_NAME,
        "lc_name": TEXT,
        "launchconfiguration": nullable(TEXT),
        "clouds": list_of(
            record("DomainCloud", {"site_name": TEXT, "rank": {"type": "integer"}, "size": {"type": "integer"}}),
            description="where its VMs may be: as its launch configuration says, or its tag clouds",
        ),
        "deleting": {**FLAG, "description": "whether it only waits for its VMs to end"},
        "sensor_data": {"type": "object"},
        **_POLICY,
    },
    optional=tuple(name for name in _POLICY if not name.startswith("monitor_")),
)


@dataclass(frozen=True, slots=True)
class Launches:
    """The launch configuration of a domain: None once it is gone, which only an older gateway allowed."""

    base: BaseConfiguration | None
    specs: Sequence[LaunchSpecRecord]


@endpoint("GET", "/domains", "The caller's domains", answers={200: list_of(SHOWN)})
def list_domains(desk: Desk, _call: Call) -> Answer:
    """The caller's domains, oldest first; those being deleted have no name any more, and are left out."""
    found = groups.of_user(desk.connection, desk.user.id)
    tagged = tags.of_groups(desk.connection, [group.id for group in found])
    bases = base_configurations.of_user(desk.connection, desk.user.id)
    specs = base_configurations.specs_of(desk.connection, [base.id for base in bases])
    by_name = {spec.name: Launches(base, specs.get(base.id, [])) for base in bases for spec in specs.get(base.id, [])}
    nothing = Launches(None, [])
    sensed = sensors.data_of(desk.connection, desk.user.id, [group.uid for group in found], desk.now)
    return Answer(
        [
            view(
                desk,
                group,
                {tag.key: tag.value for tag in tagged.get(group.id, [])},
                by_name.get(group.launch_configuration, nothing),
                sensed.get((group.uid, GROUP_ITSELF)),
            )
            for group in found
        ]
    )


@endpoint("POST", "/domains", "Make a domain", answers={201: SHOWN, 302: None}, writes=True, body=NEW)
def make_domain(desk: Desk, call: Call) -> Answer:
    """What was made; where it is, when there is one of that name."""
    body = call.body
    existing = groups.find(desk.connection, desk.user.id, body["name"])
    if existing is not None and not existing.deleting:
        return exists_already(uri_of(existing))
    check_name(desk, body["name"], "name", blanks=True)
    base, specs = find_launches(desk, body, None)
    wanted = policies.wanted_tags(body)
    least, most = bounds_of(body)
    domain_changes.check_chef(desk, base, wanted)
    check_groups_max(desk)
    every = {DEFINITION: OVERFLOW, DE_NAME: body["de_name"], **wanted}
    group = make_group(
        desk,
        specs[0],
        Bounds(least, most, least),
        {
            "name": body["name"],
            "cooldown_s": COOLDOWN_DEFAULT_S,
            "zones": [spec.cloud for spec in specs],
            "termination_policies": ["Default"],
            "new_instances_protected": False,
            "settings": dict(SETTINGS_DEFAULT),
        },
        [{"Key": key, "Value": value} for key, value in every.items()],
    )
    return created(view(desk, group, every, Launches(base, specs)))


@endpoint("GET", "/domains/{domain_id}", "One domain", answers={200: SHOWN})
def get_domain(desk: Desk, call: Call) -> Answer:
    """The domain; one that is being deleted is there until its VMs are gone. Raises JsonError(404)."""
    return Answer(_shown(desk, find_domain(desk, call)))


@endpoint("PUT", "/domains/{domain_id}", "Replace a domain", answers={200: SHOWN}, writes=True, body=GIVEN)
def replace_domain(desk: Desk, call: Call) -> Answer:
    """What it is then. What was answered and cannot be given (owner, clouds, sensor_data) is ignored."""
    group = find_living(desk, call)
    before = _shown(desk, group)
    base, specs = find_launches(desk, call.body, before)
    domain_changes.replace(desk, group, before, call.body, base, specs)
    return Answer(_shown(desk, find_domain(desk, call)))


@endpoint("DELETE", "/domains/{domain_id}", "Delete a domain and its VMs", answers={204: None}, writes=True)
def delete_domain(desk: Desk, call: Call) -> Answer:
    """Nothing; its VMs end, and its name is free at once. Raises JsonError(404)."""
    group = find_domain(desk, call)
    if not group.deleting:
        delete_group(desk, group)
    return NO_CONTENT


def find_domain(desk: Desk, call: Call) -> GroupRow:
    """The caller's domain that the path names. Raises JsonError(404)."""
    group = groups.by_uid(desk.connection, call.path["domain_id"])
    if group is None or group.user_id != desk.user.id:
        raise not_found(f"domain {call.path['domain_id']} not found")
    return group


def find_living(desk: Desk, call: Call) -> GroupRow:
    """As ``find_domain``. Raises JsonError(409) for one that is being deleted."""
    group = find_domain(desk, call)
    if group.deleting:
        raise conflict(f"domain {group.uid} is being deleted.")
    return group


def uri_of(group: GroupRow) -> str:
    """Where it is."""
    return f"{PREFIX}/domains/{group.uid}"


def view(
    desk: Desk,
    group: GroupRow,
    tagged: Mapping[str, str],
    launches: Launches,
    sensed: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The domain as clients see it; *sensed* is what its own sensors say."""
    base = launches.base
    own = next((spec for spec in launches.specs if spec.name == group.launch_configuration), None)
    launch_cloud = own.cloud if own else group.launch_configuration.partition("@")[2]
    clouds = clouds_of(group.clouds, group.definition, group.zones, launch_cloud, ranked(launches.specs))
    told = {
        "id": group.uid,
        "name": group.name,
        "owner": desk.user.name,
        "uri": uri_of(group),
        "lc_name": base.name if base else group.launch_configuration.partition("@")[0],
        "launchconfiguration": uri_of_launch_configuration(base) if base else None,
        "clouds": [
            {"site_name": cloud.name, "rank": rank, "size": NO_CAP if cloud.cap is None else cloud.cap}
            for rank, cloud in enumerate(clouds, start=1)
        ],
        "deleting": group.deleting,
        "sensor_data": sensed or {},
        **policies.view(tagged),
    }
    if told["de_name"] == policies.MULTICLOUD:
        return {**told, "vm_count": group.desired}
    return {**told, "sensor_minimum_vms": group.minimum, "sensor_maximum_vms": group.maximum}


def find_launches(
    desk: Desk, body: Mapping[str, Any], before: Mapping[str, Any] | None
) -> tuple[BaseConfiguration, list[LaunchSpecRecord]]:
    """
    What *body* names as launch configuration in either spelling, *before* being the view of what it replaces.

    Raises JsonError(400) when there is none, or when the two spellings do not agree.
    """

    def read(spelling: str, text: str) -> str:
        base = _by_uri(desk, text) if spelling == "launchconfiguration" else None
        base = base or base_configurations.by_name(desk.connection, desk.user.id, text)
        if base is None:
            raise bad_request(f"No launch configuration named {shown(text)}. Can't make domain")
        return base.uid

    asked = {name: body[name] for name in _LC_NAMES if body.get(name)}
    if not asked:
        raise bad_request("Mandatory parameter 'lc_name' is missing.")
    if before is not None:
        asked = {name: text for name, text in asked.items() if text != before[name]} or asked
    _, uid = chosen(asked, None, tuple(_LC_NAMES), read)
    base = base_configurations.by_uid(desk.connection, uid)
    assert base is not None
    return base, base_configurations.specs_of(desk.connection, [base.id])[base.id]


def _by_uri(desk: Desk, uri: str) -> BaseConfiguration | None:
    """The caller's own, by its uri, absolute or not, or by its id."""
    base = base_configurations.by_uid(desk.connection, uri.rstrip("/").rpartition("/")[2])
    return base if base is not None and base.user_id == desk.user.id else None


def _shown(desk: Desk, group: GroupRow) -> dict[str, Any]:
    tagged = {tag.key: tag.value for tag in tags.of_groups(desk.connection, [group.id]).get(group.id, [])}
    base = base_configurations.of_spec(desk.connection, desk.user.id, group.launch_configuration)
    specs = [] if base is None else base_configurations.specs_of(desk.connection, [base.id]).get(base.id, [])
    sensed = sensors.data_of(desk.connection, desk.user.id, [group.uid], desk.now)
    return view(desk, group, tagged, Launches(base, specs), sensed.get((group.uid, GROUP_ITSELF)))
